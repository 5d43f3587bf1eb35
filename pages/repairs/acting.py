"""Actions over devices in the administration: a page that says what will be done to how many and asks, then a batch."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from bmm.admin import DeviceAdmin
from devices.models import Device
from lifeguard.bulk.services import MOST_DEVICES, start
from lifeguard.bulk.verbs import VERBS, Verb, verb_named
from lifeguard.states import PLEASE_EVENTS
from mozpool_site.access.admin_audit import actor_of
from mozpool_site.access.backend import known_role
from mozpool_site.access.roles import Role
from mozpool_site.errors import MozpoolError, NotAllowedError
from pages.bulk.forms import VerbForm
from pages.repairs.selection import Chosen, of_names, of_numbers, read

# So many names are shown; the rest is counted.
_SHOWN = 200
# The table's word for it, where the verb has another.
_EVENTS = {"please_maintenance": "please_start_maintenance"}


def allowed_verbs(request: HttpRequest) -> list[Verb]:
    """Give the verbs that the caller's role allows, in the order of their table."""
    role = known_role(request.user) if isinstance(request.user, User) else Role.NOBODY
    return [verb for verb in VERBS.values() if role >= verb.least]


class ActingPages(DeviceAdmin):
    """The page that asks; it is reached from a selection of the list, and from the page of one device."""

    def get_urls(self) -> list[Any]:
        """Add it."""
        act = self.admin_site.admin_view(self.act)
        return [path("act/<slug:verb>/", act, name="devices_device_act"), *super().get_urls()]

    def ask_about(self, request: HttpRequest, verb: str, queryset: QuerySet[Device]) -> HttpResponse:
        """Ask about the devices of a list's selection."""
        rows = queryset.order_by("name").values_list("pk", flat=True)
        try:
            return self._page(request, VerbForm(_verb(request, verb)), of_numbers(rows[: MOST_DEVICES + 1]))
        except MozpoolError as error:
            return self._refused(request, error)

    def act(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Ask about the devices that the address names; a POST does it, and leads to its progress."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        try:
            wanted = _verb(request, verb)
            if request.method == "POST":
                return self._carry_out(request, wanted)
            return self._page(request, VerbForm(wanted), of_names(request.GET.getlist("device")))
        except MozpoolError as error:
            return self._refused(request, error)

    def _carry_out(self, request: HttpRequest, verb: Verb) -> HttpResponse:
        chosen = read(request.POST.get("chosen", ""))
        form = VerbForm(verb, request.POST)
        if not form.is_valid():
            return self._page(request, form, chosen)
        # A device that has moved on since it was looked at is left alone.
        seen = {"from": list(chosen.seen)} if verb.name == "force_state" else {}
        batch = start(
            verb.name, {**form.arguments, **seen}, chosen.selection.names,
            by=actor_of(request), reason=form.cleaned_data["reason"], key=chosen.key,
        )  # fmt: skip
        return HttpResponseRedirect(reverse("pages:bulk", args=(batch.pk,)))

    def _page(self, request: HttpRequest, form: VerbForm, chosen: Chosen) -> HttpResponse:
        names = chosen.selection.names
        context = {
            **self.admin_site.each_context(request),
            "title": f"{form.verb.label}: {len(names)} device{'' if len(names) == 1 else 's'}",
            "opts": self.opts,
            "verb": form.verb,
            "form": form,
            "chosen": chosen,
            "selection": chosen.selection,
            "number": len(names),
            "held": len(chosen.selection.requests),
            "without_outlet": chosen.selection.without_outlet,
            "unwilling": _unwilling(chosen, form.verb),
            "names": names[:_SHOWN],
            "more": max(0, len(names) - _SHOWN),
        }
        return TemplateResponse(request, "admin/pool/ask.html", context)

    def _refused(self, request: HttpRequest, error: MozpoolError) -> HttpResponse:
        """Say why nothing can be asked, on a page with the error's status."""
        context = {
            **self.admin_site.each_context(request), "title": "That can't be done", "opts": self.opts,
            "error": error.detail,
        }  # fmt: skip
        return TemplateResponse(request, "admin/pool/refused.html", context, status=error.http_status)


def _verb(request: HttpRequest, name: str) -> Verb:
    verb = verb_named(name)
    if verb not in allowed_verbs(request):
        raise NotAllowedError(f"{verb.label}: this needs {verb.least.word}")
    return verb


def _unwilling(chosen: Chosen, verb: Verb) -> list[tuple[str, int]]:
    """Say how many devices are in each state that does not take what is asked for: those will refuse."""
    event = _EVENTS.get(verb.name, verb.name)
    return chosen.selection.unwilling(event) if event in PLEASE_EVENTS else []
