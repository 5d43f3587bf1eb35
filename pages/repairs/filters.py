"""How broken devices are found: filters that ask no table for their choices, and a search that knows each notation."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from devices.models import Device, PowerController, Rack
from devices.models.device import Health
from lifeguard.states import DEVICE
from mozpool_site import clock
from pages.families import FAMILIES, states_of, words

Choices = Iterable[tuple[str, str]]
# So many names are offered where a name is typed; there may be thousands of controllers.
_OFFERED = 300
_LARGEST_ID = 2**31 - 1
_SEPARATORS = re.compile(r"[:.\-]")
_PART_OF_MAC = re.compile(r"[0-9a-f]{4,12}")


class FamilyFilter(admin.SimpleListFilter):
    """What a device is up to, in a word."""

    title = "what it is up to"
    parameter_name = "family"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Give a choice for each family of states."""
        return [(one.name, one.label) for one in FAMILIES.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down; a family that there is not has no devices."""
        name = self.value()
        return queryset if name is None else queryset.filter(in_family(name))


def in_family(name: str) -> Q:
    """Say by columns which devices are in a family; a state that the table lacks counts as out."""
    if name == "out":
        return Q(state__in=states_of(name)) | ~Q(state__in=DEVICE.stored())
    wanted = Q(state__in=states_of(name))
    if name in ("free", "held"):
        wanted &= Q(held_by__isnull=name == "free")
    return wanted


class StateFilter(admin.SimpleListFilter):
    """The very state; folded away, for there are many."""

    title = "state"
    parameter_name = "state"
    template = "admin/pool/filter_folded.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Give a choice for each state that is stored."""
        return [(name, words(name)) for name in DEVICE.stored()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        return queryset.filter(state=self.value()) if self.value() else queryset


class FailingFilter(admin.SimpleListFilter):
    """Failed devices, by how long they have been so."""

    title = "failing since"
    parameter_name = "failing"
    _SPANS = (
        ("hour", "the last hour", timedelta(hours=1)),
        ("day", "the last day", timedelta(days=1)),
        ("week", "the last week", timedelta(days=7)),
    )

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Give the spans, and what is older than the longest."""
        return [*((name, label) for name, label, _ in self._SPANS), ("longer", "longer than a week")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        wanted = self.value()
        spans = {name: span for name, _, span in self._SPANS}
        if wanted is None:
            return queryset
        failed = queryset.filter(state__in=states_of("failed"))
        if wanted == "longer":
            return failed.filter(state_since__lt=clock.now() - spans["week"])
        return (
            failed.filter(state_since__gte=clock.now() - spans[wanted]) if wanted in spans else failed.none()
        )


class HealthFilter(admin.SimpleListFilter):
    """Whether a device can be trusted."""

    title = "health"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Give each health, and what somebody has put in quarantine."""
        return [*Health.choices, ("quarantined", "in quarantine"), ("flapping", "failed its last tasks")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        wanted = self.value()
        if wanted is None:
            return queryset
        if wanted == "quarantined":
            return queryset.exclude(quarantine_reason="")
        return queryset.filter(failures__gt=0) if wanted == "flapping" else queryset.filter(health=wanted)


class HeldFilter(admin.SimpleListFilter):
    """Devices that a request has, or that none has."""

    title = "held"
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Give the two choices."""
        return (("yes", "by a request"), ("no", "by nobody"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        if self.value() in ("yes", "no"):
            return queryset.filter(held_by__isnull=self.value() == "no")
        return queryset


class NameFilter(admin.SimpleListFilter, ABC):
    """A filter whose name is typed, with some offered: thousands of links would help nobody."""

    template = "admin/pool/filter_name.html"
    column: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Give the names that are offered."""
        return [(name, name) for name in self.offered()]

    @abstractmethod
    def offered(self) -> list[str]:
        """Name some."""

    def has_output(self) -> bool:
        """Show it even where nothing is offered: a name can be typed."""
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down to the very name."""
        name = (self.value() or "").strip()
        return queryset.filter(**{self.column: name}) if name else queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Give what the form needs: the other filters, which its sending keeps, and the address without this one."""
        ours = (self.parameter_name, PAGE_VAR)
        yield {
            "name": self.parameter_name,
            "value": self.value() or "",
            "offered": [name for name, _ in self.lookup_choices],
            "kept": [(name, value) for name, value in changelist.params.items() if name not in ours],
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }


class RackFilter(NameFilter):
    """The rack."""

    title = "rack"
    parameter_name = "rack"
    column = "rack__name"

    def offered(self) -> list[str]:
        """Name the racks."""
        return list(Rack.objects.order_by("name").values_list("name", flat=True)[:_OFFERED])


class ControllerFilter(NameFilter):
    """The power controller."""

    title = "power controller"
    parameter_name = "controller"
    column = "power_controller__name"

    def offered(self) -> list[str]:
        """Name power controllers."""
        return list(PowerController.objects.order_by("name").values_list("name", flat=True)[:_OFFERED])


class EnvironmentFilter(NameFilter):
    """The environment."""

    title = "environment"
    parameter_name = "environment"
    column = "environment"

    def offered(self) -> list[str]:
        """Name the environments; the query reads an index only."""
        devices = Device.objects.order_by("environment").values_list("environment", flat=True)
        return list(devices.distinct()[:_OFFERED])


def search(queryset: QuerySet[Any], words_: str) -> QuerySet[Any]:
    """Find devices in which every word occurs: in name, FQDN, comment, MAC (any notation), or as inventory id."""
    for word in words_.split():
        queryset = queryset.filter(_matches(word))
    return queryset


def _matches(word: str) -> Q:
    found = Q(name__icontains=word) | Q(fqdn__icontains=word) | Q(comments__icontains=word)
    mac = _SEPARATORS.sub("", word.lower())
    if _PART_OF_MAC.fullmatch(mac):
        found |= Q(mac=mac) if len(mac) == 12 else Q(mac__contains=mac)  # noqa: PLR2004 - a whole MAC has 12 digits
    if word.isascii() and word.isdigit() and int(word) <= _LARGEST_ID:
        found |= Q(inventory_id=int(word))
    return found
