"""Writes requests as the v2 API shows them: many at once, in a number of queries that does not grow with them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from rest_framework import serializers

from devices.api.v2.names import hardware_name
from devices.models import Device
from mozpool_site import clock
from mozpool_site.api.access import Caller
from mozpool_site.api.v2 import wire
from mozpool_site.api.v2.fields import AnySerializer
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.views import etag_of
from mozpool_site.errors import UnknownNameError
from requests_app import lease
from requests_app.api.ownership import owns
from requests_app.models import Request
from requests_app.states import REQUEST
from requests_app.waiting import why

COLUMNS = (
    *why.COLUMNS, "state_seq", "state_since", "created", "expires", "duration", "waits_until",
    "ready_at", "ended", "image__name", "boot_config",
    "last_device__name", "hardware__kind", "hardware__model", "assignee", "owner", "priority",
)  # fmt: skip
_SHOWN = ("name", "fqdn", "address", "state")

Row = Mapping[str, Any]
Entry = dict[str, Any]


class HeldSerializer(AnySerializer):
    """The device that a request holds."""

    name = serializers.CharField()
    fqdn = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    url = serializers.URLField()


class WaitingSerializer(AnySerializer):
    """Why a request waits, its place among those who may get the same devices, and seconds until `ready`."""

    reason = serializers.ChoiceField(choices=why.REASONS)
    detail = serializers.CharField()
    place = serializers.IntegerField(min_value=1)
    estimate_seconds = serializers.IntegerField(
        allow_null=True, help_text="From medians of the last day; null where there are none."
    )


class RequestSerializer(AnySerializer):
    """A request. `device` is what it holds now, `last_device` what it held last, `requested_device` what it named."""

    id = serializers.IntegerField()
    url = serializers.URLField()
    state = serializers.ChoiceField(choices=REQUEST.stored())
    state_seq = serializers.IntegerField(help_text="Raised by every change of state.")
    state_since = serializers.DateTimeField()
    created = serializers.DateTimeField()
    waits_until = serializers.DateTimeField(
        allow_null=True,
        help_text="When it fails unless a device has come free; null where it waits for none.",
    )
    duration = serializers.IntegerField(
        allow_null=True, help_text="Seconds from `ready` on; null: counted from filing, by the legacy API."
    )
    expires = serializers.DateTimeField(
        allow_null=True, help_text="When it ends by itself; null until it is ready, which begins its time."
    )
    seconds_left = serializers.IntegerField(
        help_text="Until it expires, all of `duration` before it is ready; 0 when it has ended."
    )
    ready_at = serializers.DateTimeField(allow_null=True)
    ended = serializers.DateTimeField(allow_null=True)
    image = serializers.CharField()
    boot_config = serializers.DictField(allow_null=True, help_text="null where it is not yours to read.")
    requested_device = serializers.CharField(allow_null=True)
    device = HeldSerializer(allow_null=True)
    last_device = serializers.CharField(allow_null=True)
    environment = serializers.CharField(help_text="any: no matter which.")
    hardware = serializers.CharField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    assignee = serializers.CharField()
    owner = serializers.CharField()
    priority = serializers.IntegerField()
    waiting = WaitingSerializer(allow_null=True)


def entries(rows: Iterable[Row], caller: Caller) -> list[Entry]:
    """Write rows of COLUMNS as a caller sees them; at most eight queries, however many rows there are."""
    return [seen(entry, caller) for entry in whole_entries(rows)]


def whole_entries(rows: Iterable[Row]) -> list[Entry]:
    """Write rows of COLUMNS with all that is in them; nobody but their owners and operators sees them so."""
    rows = list(rows)
    live = [row["pk"] for row in rows if row["ended"] is None]
    devices = Device.objects.filter(held_by__in=live).values(*why.HELD, "fqdn", "address") if live else ()
    held = {device["held_by"]: device for device in devices}
    now = clock.now()
    waiting = why.explain(rows, held, now)
    return [_entry(row, held.get(row["pk"]), waiting.get(row["pk"]), now) for row in rows]


def seen(entry: Entry, caller: Caller) -> Entry:
    """Give a request as a caller sees it: without the boot config where that is not theirs."""
    if not entry["boot_config"] or owns(caller, entry["owner"]):
        return entry
    return {**entry, "boot_config": None}


def entry_of(number: int, caller: Caller) -> Entry:
    """Give one request as a caller sees it. Raises UnknownNameError."""
    found = entries(Request.objects.filter(pk=number).values(*COLUMNS), caller)
    if not found:
        raise UnknownNameError(f"there is no request {number}", field="id")
    return found[0]


def _entry(row: Row, held: Row | None, waiting: why.Waiting | None, now: datetime) -> Entry:
    time = (row["duration"], row["ready_at"], row["expires"])
    asked = (
        None if row["hardware_id"] is None else hardware_name(row["hardware__kind"], row["hardware__model"])
    )
    return {
        "id": row["pk"],
        "url": link("requests", row["pk"]),
        **{name: row[name] for name in ("state", "state_seq", "state_since", "created")},
        "waits_until": min(row["waits_until"], row["expires"]) if row["state"] == "finding_device" else None,
        "duration": row["duration"],
        "expires": lease.end(*time),
        "seconds_left": lease.seconds_left(*time, now) if row["ended"] is None else 0,
        "ready_at": row["ready_at"],
        "ended": row["ended"],
        "image": row["image__name"],
        "boot_config": json.loads(row["boot_config"]),
        "requested_device": row["requested_device__name"],
        "device": _device(held),
        "last_device": row["last_device__name"],
        "environment": row["environment"],
        "hardware": asked,
        **{name: row[name] for name in ("tags", "assignee", "owner", "priority")},
        "waiting": None if waiting is None else asdict(waiting),
    }


def _device(held: Row | None) -> Entry | None:
    if held is None:
        return None
    shown = {name: held[name] for name in _SHOWN}
    return {**shown, "url": link("devices", held["name"])}


def etag(entry: Entry) -> str:
    """Give the ETag of a request: weak, for an answer that differs only in the seconds that pass is the same."""
    lasting = {name: value for name, value in entry.items() if name != "seconds_left"}
    if entry["waiting"] is not None:
        lasting["waiting"] = (entry["waiting"]["reason"], entry["waiting"]["place"])
    return f"W/{etag_of(wire.encode(lasting))}"


def answer(entry: Entry, request: HttpRequest) -> HttpResponse:
    """Answer a read of one request: 304 when the caller has it already."""
    tag = etag(entry)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or tag.removeprefix("W/") in (one.removeprefix("W/") for one in known):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(wire.encode(entry), content_type=wire.CONTENT_TYPE)
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response
