"""The pages of a power controller that speak to it: a test, and its outlets with what each reads right now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from bmm import services
from bmm.controllers import driver_of
from bmm.drivers.power.base import Power
from bmm.errors import HardwareError
from devices.admin_base import CarefulAdmin
from devices.models import Device, PowerController
from mozpool_site import clock
from mozpool_site.errors import ConflictError

_NOT_ASKED = "not asked"
# Level of the message, and its words.
Told = tuple[int, str]


@dataclass(frozen=True)
class Outlet:
    """One outlet, who is plugged in, and what it reads: on, off, unknown, or the error that asking met."""

    name: str
    device: Device | None
    reads: str
    problem: str = ""


def test(controller: PowerController) -> Told:
    """Ask a controller for a sign of life that switches nothing, and say how it went."""
    try:
        sound = services.test_controller(controller)
    except HardwareError as error:
        return messages.ERROR, f"{error}. {error.advice}"
    except ConflictError as error:
        return messages.WARNING, str(error)
    return (messages.SUCCESS, "is well") if sound else (messages.ERROR, "answers, but does not pass its test")


def outlets_of(controller: PowerController, found: Mapping[str, Power] | None) -> list[Outlet]:
    """Join the outlets that the driver can name, and those that devices use, with their devices and what was read.

    Without `found` nothing was asked. A driver that is not known names no outlets: the devices' are left.
    """
    plugged = {device.outlet: device for device in controller.devices.exclude(outlet="").order_by("outlet")}
    try:
        named = list(driver_of(controller).every_outlet())
    except HardwareError:
        named = []
    names = [*named, *(name for name in plugged if name not in named)]
    return [_outlet(name, plugged.get(name), found) for name in names]


def _outlet(name: str, device: Device | None, found: Mapping[str, Power] | None) -> Outlet:
    if found is None or name not in found:
        return Outlet(name, device, _NOT_ASKED)
    read = found[name]
    if isinstance(read, HardwareError):
        return Outlet(name, device, "error", str(read))
    return Outlet(name, device, "unknown" if read is None else "on" if read else "off")


class AskingPages(CarefulAdmin):
    """The two pages; whoever may look at a controller may ask it, for neither switches anything."""

    def get_urls(self) -> list[Any]:
        """Add the two."""
        wrap, name = self.admin_site.admin_view, "devices_powercontroller"
        return [
            path("<path:object_id>/test/", wrap(self.test_one), name=f"{name}_test"),
            path("<path:object_id>/outlets/", wrap(self.outlets), name=f"{name}_outlets"),
            *super().get_urls(),
        ]

    def test_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Test one controller, and go back to its page with what it said."""
        controller = self._controller(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        level, words = test(controller)
        self.message_user(request, f"{controller.name}: {words}", level)
        return HttpResponseRedirect(reverse("admin:devices_powercontroller_change", args=(controller.pk,)))

    def outlets(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show its outlets and who is plugged in; a POST asks the hardware what each reads."""
        controller = self._controller(request, object_id)
        found, told = (None, None) if request.method != "POST" else _read(controller)
        context = {
            **self.admin_site.each_context(request),
            "title": "Outlets",
            "opts": self.opts,
            "original": controller,
            "outlets": outlets_of(controller, found),
            "told": told,
            "read_at": clock.now() if found is not None else None,
        }
        part = request.headers.get("X-Requested-With") == "fetch"
        name = "admin/pool/_outlets.html" if part else "admin/pool/outlets.html"
        return TemplateResponse(request, name, context)

    def _controller(self, request: HttpRequest, object_id: str) -> PowerController:
        if not self.has_view_permission(request):
            raise PermissionDenied
        controller = self.get_object(request, unquote(object_id))
        if controller is None:
            raise Http404(f"there is no power controller {object_id[:20]}")
        return controller  # type: ignore[no-any-return]  # the stubs know no model here


def _read(controller: PowerController) -> tuple[dict[str, Power] | None, str | None]:
    """Read all outlets; or say why it could not be asked."""
    try:
        return services.read_outlets(controller), None
    except HardwareError as error:
        return None, f"{error}. {error.advice}"
    except ConflictError as error:
        return None, str(error)
