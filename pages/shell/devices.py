"""Tells open pages which devices have changed, as JSON: what live.js puts into everything marked `data-device`."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponseNotModified, JsonResponse
from django.http.response import HttpResponseBase

from devices.models import Device
from mozpool_site.access.roles import Role
from pages.access import Person, page
from pages.families import device_title, family_of, words
from pages.shell import changes

_COLUMNS = ("name", "state", "held_by", "state_since")


@page(Role.VIEWER)
def changed_devices(request: HttpRequest, person: Person) -> HttpResponseBase:
    """Give {"version", "devices": {NAME: {...}}} of those that changed since the version in If-None-Match.

    Without one, of all that the page shows: `?racks=A,B` and `?names=A,B` say which; of none without either. 304 while
    nothing has changed anywhere.
    """
    version, before = changes.version(), version_before(request)
    response: HttpResponseBase
    if version == before:
        response = HttpResponseNotModified()
    else:
        response = JsonResponse({"version": version, "devices": news(request, before)})
    response["ETag"] = f'"{version}"'
    return response


def version_before(request: HttpRequest) -> str:
    """Return the version that the page has, as it says."""
    return str(request.META.get("HTTP_IF_NONE_MATCH", "")).removeprefix("W/").strip('"')


def news(request: HttpRequest, before: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what the page shows of devices that may have changed since a version: of a large pool, of a few racks."""
    if names := request.GET.get("names", ""):
        devices = Device.objects.filter(name__in=names.split(","))
    else:
        devices = Device.objects.filter(rack__name__in=request.GET.get("racks", "").split(","))
    changed = changes.changed_since(before)
    if changed is not None:
        devices = devices.filter(changed)
    return {row["name"]: _shown(row) for row in devices.order_by("name").values(*_COLUMNS)}


def _shown(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a page shows of a device, as live.js takes it."""
    known = family_of(row["state"], held=row["held_by"] is not None)
    return {
        "state": row["state"],
        "family": known.name,
        "mark": known.mark,
        "label": known.label,
        "words": words(row["state"]),
        "held_by": row["held_by"],
        "since": row["state_since"].isoformat(timespec="seconds"),
        "title": device_title(row["name"], row["state"], row["held_by"]),
    }
