"""The pages of a power controller that have it asked: tests, and its outlets with what each reads right now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from bmm import services
from bmm.controllers import driver_of, named_outlets
from bmm.errors import HardwareError
from bmm.models import Kind, Operation
from bmm.readings import Progress, Reading, progress_of, reading_of
from devices.admin_base import CarefulAdmin
from devices.models import Device, PowerController
from mozpool_site import clock
from mozpool_site.access.admin_audit import actor_of
from mozpool_site.api.values import row_id
from mozpool_site.errors import MozpoolError

_NOT_ASKED = "not asked"
# As many as a list of controllers shows on a page.
MOST_TESTS = 100


@dataclass(frozen=True)
class Outlet:
    """One outlet, who is plugged in, and what it reads: on, off, unknown, or the error that asking met."""

    name: str
    device: Device | None
    reads: str
    problem: str = ""


@dataclass(frozen=True)
class Test:
    """One controller's test, and how far it is."""

    controller: PowerController
    progress: Progress


def outlets_of(controller: PowerController, reading: Reading | None) -> list[Outlet]:
    """Join the outlets that the driver can name, and those that devices use, with their devices and what was read.

    Without a reading nothing was asked. A driver that is not known names no outlets: the devices' are left.
    """
    plugged = {device.outlet: device for device in controller.devices.exclude(outlet="").order_by("outlet")}
    try:
        named = named_outlets(driver_of(controller))
    except HardwareError:
        named = []
    names = [*named, *(name for name in plugged if name not in named)]
    return [_outlet(name, plugged.get(name), reading) for name in names]


def _outlet(name: str, device: Device | None, reading: Reading | None) -> Outlet:
    if reading is not None and name in reading.errors:
        return Outlet(name, device, "error", reading.errors[name])
    if reading is None or name not in reading.power:
        return Outlet(name, device, _NOT_ASKED)
    power = reading.power[name]
    return Outlet(name, device, "unknown" if power is None else "on" if power else "off")


class AskingPages(CarefulAdmin):
    """The pages; whoever may look at a controller may have it asked, for that switches nothing.

    The question is a row that a worker of the controller's rack carries out, and the page follows it: this process may
    be where no controller can be reached.
    """

    def get_urls(self) -> list[Any]:
        """Add them."""
        wrap, name = self.admin_site.admin_view, "devices_powercontroller"
        return [
            path("tests/", wrap(self.tests), name=f"{name}_tests"),
            path("<path:object_id>/test/", wrap(self.test_one), name=f"{name}_test"),
            path("<path:object_id>/outlets/", wrap(self.outlets), name=f"{name}_outlets"),
            *super().get_urls(),
        ]

    def test_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have one controller tested."""
        controller = self._controller(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return self.begin_tests(request, [controller])

    def begin_tests(self, request: HttpRequest, controllers: Iterable[PowerController]) -> HttpResponse:
        """Have controllers tested, and lead to the page that shows how far it is."""
        by = actor_of(request)
        # Their rows are locked one after the other, by everybody in the same order.
        in_order = sorted(controllers, key=lambda one: one.pk)
        try:
            asked = [services.ask_controller(one.pk, Kind.TEST_CONTROLLER, by=by) for one in in_order]
        except MozpoolError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:devices_powercontroller_changelist"))
        numbers = ",".join(str(one.operation.pk) for one in asked)
        return HttpResponseRedirect(f"{reverse('admin:devices_powercontroller_tests')}?of={numbers}")

    def tests(self, request: HttpRequest) -> HttpResponse:
        """Show how far some tests are."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        words = request.GET.get("of", "").split(",")[:MOST_TESTS]
        numbers = [number for word in words if (number := row_id(word))]
        now = clock.now()
        of_these = Operation.objects.filter(pk__in=numbers, kind=Kind.TEST_CONTROLLER)
        rows = of_these.select_related("controller__rack", "rack").order_by("controller__name")
        tests = [Test(row.controller, progress_of(row, now)) for row in rows if row.controller is not None]
        context = {"title": "Tests", "tests": tests, "open": any(test.progress.is_open for test in tests)}
        return self._answer(request, "tests", context)

    def outlets(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show its outlets and who is plugged in; a POST has the hardware asked what each reads."""
        controller = self._controller(request, object_id)
        number, problem = row_id(request.GET.get("reading", "")), ""
        is_part = _is_part(request)
        if request.method == "POST":
            try:
                asked = services.ask_controller(controller.pk, Kind.READ_OUTLETS, by=actor_of(request))
            except MozpoolError as error:
                problem = error.detail
            else:
                number = asked.operation.pk
                if not is_part:
                    return HttpResponseRedirect(f"{request.path}?reading={number}")
        reading = reading_of(controller, number, clock.now()) if number else None
        context = {
            "title": "Outlets",
            "original": controller,
            "outlets": outlets_of(controller, reading),
            "reading": reading,
            "problem": problem,
        }
        return self._answer(request, "outlets", context)

    def _answer(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        template = f"admin/pool/{'_' if _is_part(request) else ''}{name}.html"
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), "opts": self.opts, **context}
        )

    def _controller(self, request: HttpRequest, object_id: str) -> PowerController:
        if not self.has_view_permission(request):
            raise PermissionDenied
        controller = self.get_object(request, unquote(object_id))
        if controller is None:
            raise Http404(f"there is no power controller {object_id[:20]}")
        return controller  # type: ignore[no-any-return]  # the stubs know no model here


def _is_part(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == "fetch"
