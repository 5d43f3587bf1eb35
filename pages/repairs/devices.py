"""The administration's devices: a list in which broken ones are found, and a page that tells what is wrong with one."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bmm.admin import DeviceAdmin
from devices.admin_base import KeysFirst, LongList, Tool, machine_columns
from devices.models import Device
from devices.models.device import Health
from lifeguard.quarantine import is_quarantined
from mozpool_site import commands
from mozpool_site.access.backend import known_role
from pages import texts
from pages.device.actions import Standing, grouped
from pages.families import family_of, words
from pages.repairs import filters
from pages.repairs.acting import ActingPages, allowed_verbs
from pages.repairs.story import by_people, story_of
from pages.repairs.transfer import TransferPages

_COMMENT_SHOWN = 60
_BARE = frozenset({"power_cycle", "pxe_boot", "power_off", "clear_pxe", "ping"})
_NOW = ("state", "state_since", "deadline", "held_by", "idle_since", "result", "failures", "health")
_QUARANTINE = ("quarantine_reason", "quarantine_by", "quarantine_bug", "quarantine_since")
_STORAGE = ("image", "boot_config", "next_image", "next_boot_config", "netboot")
# A kind only says again what stands above.
_ELSEWHERE = (*_NOW, *_QUARANTINE, *_STORAGE, "kind")
_INSIDE = tuple(name for name in machine_columns(Device) if name not in _ELSEWHERE)
_HEALTH = {Health.GOOD: ("free", "●"), Health.BAD: ("failed", "✕"), Health.UNKNOWN: ("out", "?")}


def _in_twos(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Put two fields into each row of the form."""
    return tuple(tuple(names[first : first + 2]) for first in range(0, len(names), 2))


@admin.register(Device)
class RepairAdmin(ActingPages, TransferPages, DeviceAdmin):
    """Devices, for those who mend them. No state of a machine is a field of the form."""

    list_display = (
        "name", "badge", "since", "holder", "trust", "note", "hangs_at", "environment", "hardware_type", "image",
    )  # fmt: skip
    list_select_related = ("rack", "hardware_type", "image", "power_controller")
    list_filter = (
        filters.FamilyFilter, filters.FailingFilter, filters.HealthFilter, filters.HeldFilter,
        filters.RackFilter, filters.ControllerFilter, filters.EnvironmentFilter, "hardware_type", filters.StateFilter,
    )  # fmt: skip
    list_per_page = 100
    paginator = KeysFirst
    # Eighty thousand rows on one page help nobody.
    list_max_show_all = 0
    # Counted once, with the filters, not a second time without them; facets would count for every choice.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    # The columns that have an index to sort by.
    sortable_by = ("name", "badge", "since", "environment")
    # Who searches is search(); this shows the box.
    search_fields = ("name",)
    search_help_text = (
        "Part of a name, FQDN, comment or MAC in any notation, or an inventory id; all words of several."
    )
    change_form_template = "admin/pool/device_form.html"
    object_history_template = "admin/pool/device_history.html"
    fieldsets = (
        (None, {"fields": (("name", "fqdn"), ("address", "mac"), ("inventory_id", "hardware_type"))}),
        ("Where it hangs", {"fields": ("rack", ("power_controller", "outlet"))}),
        ("For whom", {"fields": (("environment", "tags"), "comments")}),
        ("Now, as its machine says", {"fields": _in_twos(_NOW)}),
        ("Quarantine", {"fields": _in_twos(_QUARANTINE)}),
        ("What is on it", {"fields": _in_twos(_STORAGE)}),
        ("Inside", {"fields": _in_twos(_INSIDE), "classes": ("collapse",)}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find devices by what people know of them; nothing is found twice."""
        return filters.search(queryset, search_term), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list."""
        return LongList

    def get_actions(self, request: HttpRequest) -> Any:
        """Add what can be done to many devices, as far as the caller's role allows it."""
        asked = {
            f"ask_{verb.name}": (partial(_ask, verb.name), f"ask_{verb.name}", verb.label)
            for verb in allowed_verbs(request)
        }
        return {**asked, **super().get_actions(request)}

    def get_action_choices(self, request: HttpRequest, default_choices: Any = ()) -> Any:
        """Put the actions into groups, those that Lifeguard is asked for first."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, label in super().get_action_choices(request, []):
            groups.setdefault(_group(name.removeprefix("ask_")), []).append((name, label))
        return [("", "---------"), *groups.items()]

    def tools(self, request: HttpRequest) -> list[Tool]:
        """Lead to the files that go out and come in."""
        return self.transfer_tools(request)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Leave the list the whole width: it has many columns, and its own filters beside it."""
        return super().changelist_view(request, {**(extra_context or {}), "is_nav_sidebar_enabled": False})

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show what has happened to the device beside its form."""
        device = kwargs.get("obj")
        if device is not None and device.pk:
            known = family_of(device.state, held=device.held_by is not None)
            context = {
                **context, "story": story_of(device), "family": known, "state_words": words(device.state),
                "groups": grouped(_standing(request, device)),
            }  # fmt: skip
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Add what people did to it by other ways than these pages, as its journal tells."""
        device = self.get_object(request, unquote(object_id))
        lines = by_people(device) if device is not None else []
        return super().history_view(request, object_id, {**(extra_context or {}), "lines": lines})

    @admin.display(description="state", ordering="state")
    def badge(self, device: Device) -> SafeString:
        """Show the state in the colour of its family."""
        known = family_of(device.state, held=device.held_by is not None)
        return _badge(known.name, known.mark, words(device.state), known.doc)

    @admin.display(description="since", ordering="state_since")
    def since(self, device: Device) -> SafeString:
        """Say for how long it has been in its state."""
        moment = device.state_since
        return format_html(
            '<time datetime="{}" title="{}">{}</time>',
            moment.isoformat(timespec="seconds"), commands.moment(moment), texts.ago(moment),
        )  # fmt: skip

    @admin.display(description="held by")
    def holder(self, device: Device) -> SafeString | str:
        """Lead to the request that has it."""
        if device.held_by is None:
            return ""
        return format_html('<a href="{}">request {}</a>', _request_page(device.held_by), device.held_by)

    @admin.display(description="hangs at")
    def hangs_at(self, device: Device) -> str:
        """Name rack, controller and outlet."""
        outlet = f"{device.power_controller} {device.outlet}" if device.power_controller else "no outlet"
        return f"{device.rack}: {outlet}"

    @admin.display(description="health")
    def trust(self, device: Device) -> SafeString:
        """Say whether it can be trusted, and why not."""
        colour, mark = _HEALTH[Health(device.health)]
        failures = f", failed {device.failures}×" if device.failures else ""
        return _badge(colour, mark, f"{device.health}{failures}", device.quarantine_reason)

    @admin.display(description="comment")
    def note(self, device: Device) -> SafeString | str:
        """Show how its comment begins."""
        text = " ".join((device.comments or "").split())
        if not text:
            return ""
        short = text if len(text) <= _COMMENT_SHOWN else f"{text[:_COMMENT_SHOWN]}…"
        return format_html(
            '<span class="pool-clip" title="{}">{}</span>', texts.visible(text[:500]), texts.visible(short)
        )


def _badge(name: str, mark: str, label: str, told: str) -> SafeString:
    return format_html(
        '<span class="pool-badge pool-{}" title="{}"><span aria-hidden="true">{}</span>{}</span>',
        name,
        told,
        mark,
        label,
    )


def _ask(verb: str, page: RepairAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
    """Show the page that asks before a verb is applied to a selection."""
    return page.ask_about(request, verb, queryset)


def _group(verb: str) -> str:
    if verb in _BARE:
        return "Hardware only"
    if verb.startswith("please_") or verb == "return_to_pool":
        return "Ask Lifeguard"
    return "Decide yourself"


def _standing(request: HttpRequest, device: Device) -> Standing:
    """Say what decides on which actions make sense now. Whoever is here may at least operate."""
    return Standing(
        state=device.state,
        role=known_role(request.user),  # type: ignore[arg-type]  # admin_view lets in users only
        held_by=device.held_by,
        has_outlet=device.power_controller_id is not None and bool(device.outlet),
        netboot=device.netboot_id is not None,
        quarantined=is_quarantined(device.health, device.quarantine_by),
    )


def _request_page(number: int) -> str:
    try:
        return reverse("pages:request", args=(number,))
    except NoReverseMatch:
        return reverse("admin:requests_app_request_change", args=(number,))
