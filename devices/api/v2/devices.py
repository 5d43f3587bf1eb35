"""Devices as callers see them: read as plain values, filtered by what has an index, and their part of the journal.

Who may see a boot config depends on who holds the device, and what may be done on layers above; the whole view is
in requests_app/api/v2_devices.py.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from devices.api.v2.journal import COLUMNS as JOURNAL_COLUMNS
from devices.api.v2.journal import JournalSerializer, lines
from devices.api.v2.names import HardwareFilter, HardwareName, hardware_name
from devices.listing import device_named
from devices.models import Device, HardwareType, Image, Journal, PowerController, Rack
from devices.models.device import Health
from devices.models.device_kind import kinds_with
from devices.names import HOSTNAME, MAC
from mozpool_site.api.access import Role
from mozpool_site.api.v2 import keyset
from mozpool_site.api.v2.fields import Named, StrictModelSerializer, Text, WholeSerializer, names
from mozpool_site.api.v2.filters import CharFilter, ChoiceFilter, FilterSet, IsSetFilter, NameFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.views import Resource
from mozpool_site.errors import InvalidInputError

MOST_TAGS = 64
# Told as they are stored.
_OF_ITS_MACHINE = (
    "state", "state_seq", "state_since", "health", "quarantine_reason", "quarantine_by", "quarantine_bug",
    "quarantine_since", "failures", "idle_since",
)  # fmt: skip
_PLAIN = (
    "name", "fqdn", "mac", "address", "inventory_id", "environment", "tags", "comments", *_OF_ITS_MACHINE,
)  # fmt: skip
_POINTERS = ("rack_id", "hardware_type_id", "image_id", "next_image_id", "power_controller_id")


class OutletSerializer(WholeSerializer):
    """Where a device's power comes from."""

    controller = Named(PowerController)
    outlet = Text(max_length=64, help_text="As its driver names it, e.g. bank1:relay3.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "a device with an image on it",
            response_only=True,
            value={
                "url": "http://mozpool.example/api/v2/devices/panda-0001/",
                "name": "panda-0001",
                "fqdn": "panda-0001.p1.lab.example",
                "mac": "020000000001",
                "address": "10.12.1.1",
                "inventory_id": 4711,
                "environment": "production",
                "tags": ["hdmi"],
                "comments": None,
                "state": "ready",
                "state_seq": 42,
                "state_since": "2026-11-22T13:55:23.527520Z",
                "health": "good",
                "quarantine_reason": "",
                "quarantine_by": "",
                "quarantine_bug": "",
                "quarantine_since": None,
                "failures": 0,
                "idle_since": None,
                "rack": "p1",
                "hardware_type": "panda/es-b3",
                "image": "b2g",
                "next_image": None,
                "request": 1234,
                "power": {"controller": "relay-1-1", "outlet": "bank1:relay3"},
                "boot_config": {"b2gbase": "http://images.example.com/b2g/42/"},
            },
        )
    ]
)
class DeviceSerializer(StrictModelSerializer):
    """A device. `request` is the number of the request that holds it; `boot_config` is null where it is not yours."""

    url = serializers.URLField(read_only=True)
    rack = Named(Rack)
    hardware_type = HardwareName()
    tags = names(MOST_TAGS, required=False)
    image = Named(read_only=True, allow_null=True)
    next_image = Named(read_only=True, allow_null=True)
    request = serializers.IntegerField(read_only=True, allow_null=True)
    power = OutletSerializer(required=False, allow_null=True)
    boot_config = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = Device
        fields = (
            "url", *_PLAIN, "rack", "hardware_type", "image", "next_image", "request", "power", "boot_config",
        )  # fmt: skip
        read_only_fields = _OF_ITS_MACHINE
        extra_kwargs = {"comments": {"trim_whitespace": False}}


class DeviceFilters(FilterSet):  # type: ignore[misc]
    """What devices can be narrowed down by."""

    state = CharFilter(max_length=64)
    rack = NameFilter(Rack, field_name="rack")
    environment = CharFilter(max_length=64)
    hardware_type = HardwareFilter(field_name="hardware_type")
    image = NameFilter(Image, field_name="image")
    health = ChoiceFilter(choices=Health.choices)
    tag = CharFilter(max_length=64, method="having_tag", help_text="One of its tags.")
    held = IsSetFilter(field_name="held_by", mostly_unset=True, help_text="Whether a request has it.")
    idle = IsSetFilter(field_name="idle_since", help_text="Whether it is ready and held by nobody.")
    search = CharFilter(
        max_length=63, method="searched", help_text="The start of its name, or its whole MAC address."
    )

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow down. Raises InvalidInputError for an order that no index has, slow in a large pool."""
        given = {name for name, value in self.form.cleaned_data.items() if value}
        by_time = str(self.data.get("ordering", "")).removeprefix("-") == "state_since"
        if by_time and given - {"state"} and "rack" not in given:
            told = min(given - {"state"})
            raise InvalidInputError(
                f"ordering by state_since goes with state alone, or with rack: not with {told}",
                field="ordering",
            )
        narrowed: QuerySet[Any] = super().filter_queryset(queryset)
        return narrowed

    def having_tag(self, queryset: QuerySet[Device], name: str, value: str) -> QuerySet[Device]:
        """Select by a tag: by the kinds of devices that have it."""
        return queryset.filter(kind__in=kinds_with([value]))

    def searched(self, queryset: QuerySet[Device], name: str, value: str) -> QuerySet[Device]:
        """Select by the start of the name, or by the MAC address however it is written."""
        mac = value.replace(":", "").replace("-", "").lower()
        found = Q(name__istartswith=value)
        return queryset.filter(found | Q(mac=mac) if MAC.fullmatch(mac) else found)


class DeviceResource(Resource, abstract=True):
    """The devices. Subclasses know which of them the caller holds."""

    queryset = Device.objects.order_by()
    serializer_class = DeviceSerializer
    filterset_class = DeviceFilters
    columns = (*_PLAIN, *_POINTERS, "outlet", "held_by", "boot_config")
    orderings = ("name", "state_since")
    collection, word = "devices", "device"
    parameters = {"journal": keyset.PARAMETERS}

    @abstractmethod
    def own_boot_configs(self) -> Mapping[int, str]:
        """Give the boot configs of the caller's requests, by their numbers: on what these hold, those are theirs."""

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write devices. What they point at is looked up for all at once: joins would cost the list its index."""
        known = _Known(rows)
        sees_all = self.caller.may(Role.OPERATOR)
        own = {} if sees_all else self.own_boot_configs()
        return [
            known.entry(row, may_read=sees_all or own.get(row["held_by"] or 0) == row["boot_config"])
            for row in rows
        ]

    def page(self, queryset: QuerySet[Any]) -> keyset.Page:
        """Read the page of devices that is asked for."""
        inner = self.request._request  # noqa: SLF001 - the page needs no more than Django's request
        return keyset.take_keys_first(queryset, inner, self.orderings, self.columns)

    def one(self, key: str) -> QuerySet[Device]:
        """Select a device by its name."""
        return Device.objects.filter(name=key) if HOSTNAME.fullmatch(key) else Device.objects.none()

    @extend_schema(responses=JournalSerializer(many=True))
    @action(
        detail=True,
        filter_backends=[],
        filterset_class=None,
        columns=JOURNAL_COLUMNS,
        orderings=("-time",),
        serializer_class=JournalSerializer,
    )
    def journal(self, request: Request, name: str) -> HttpResponse:
        """Give a page of what happened to it, the newest first."""
        page = super().page(Journal.objects.filter(device_id=device_named(name).pk))
        return self.reply({"next": page.following, "previous": page.preceding, "results": lines(page.rows)})


class _Known:
    """The names of what a page of devices points at: one query for each table."""

    def __init__(self, rows: list[Row]) -> None:
        def numbers(*columns: str) -> set[int]:
            return {row[column] for row in rows for column in columns} - {None}

        self.racks = dict(Rack.objects.filter(pk__in=numbers("rack_id")).values_list("pk", "name"))
        hardware = HardwareType.objects.filter(pk__in=numbers("hardware_type_id"))
        self.hardware = {
            pk: hardware_name(kind, model) for pk, kind, model in hardware.values_list("pk", "kind", "model")
        }
        images = Image.objects.filter(pk__in=numbers("image_id", "next_image_id"))
        self.images = dict(images.values_list("pk", "name"))
        controllers = PowerController.objects.filter(pk__in=numbers("power_controller_id"))
        self.controllers = dict(controllers.values_list("pk", "name"))

    def entry(self, row: Row, *, may_read: bool) -> dict[str, Any]:
        """Write one device."""
        controller = self.controllers.get(row["power_controller_id"])
        return {
            "url": link("devices", row["name"]),
            **{name: row[name] for name in _PLAIN},
            "rack": self.racks.get(row["rack_id"]),
            "hardware_type": self.hardware.get(row["hardware_type_id"]),
            "image": self.images.get(row["image_id"]),
            "next_image": self.images.get(row["next_image_id"]),
            "request": row["held_by"],
            "power": {"controller": controller, "outlet": row["outlet"]} if controller else None,
            "boot_config": _boot_config(row["boot_config"]) if may_read else None,
        }


def _boot_config(text: str) -> Any:
    try:
        value = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
