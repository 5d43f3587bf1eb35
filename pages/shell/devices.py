"""Tells open pages which devices have changed, as JSON: what live.js puts into everything marked `data-device`."""

from typing import Any

from django.http import HttpRequest, HttpResponseNotModified, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from devices.models import Rack
from mozpool_site.access.roles import Role
from pages.access import Person, page
from pages.families import family_of, words
from pages.shell.pool import Pool, Seen, changed_since, pool


def shown(name: str, seen: Seen) -> dict[str, Any]:
    """Give what a page shows of a device, as live.js takes it."""
    known = family_of(seen.state, held=seen.held_by is not None)
    return {
        "state": seen.state,
        "family": known.name,
        "mark": known.mark,
        "label": known.label,
        "words": words(seen.state),
        "held_by": seen.held_by,
        "since": seen.since.isoformat(timespec="seconds"),
        "title": title(name, seen),
    }


def title(name: str, seen: Seen) -> str:
    """Say in one line what a device does, for a cell's hint."""
    held = f", held by request {seen.held_by}" if seen.held_by is not None else ""
    return f"{name}: {words(seen.state)}{held}"


@page(Role.VIEWER)
def changed_devices(request: HttpRequest, person: Person) -> HttpResponseBase:
    """Give {"version", "devices": {NAME: {...}}} of those that changed since the version in If-None-Match.

    Without one, or with one that this process does not know, of all that the page shows: `?racks=A,B` and `?names=A,B`
    say which; of none without either. 304 while nothing has changed anywhere.
    """
    now = pool.get(timezone.now())
    version = request.META.get("HTTP_IF_NONE_MATCH", "").removeprefix("W/").strip('"')
    response: HttpResponseBase
    if version == now.version:
        response = HttpResponseNotModified()
    else:
        names = within(request, now, changed_since(now, version))
        devices = {name: shown(name, now.devices[name]) for name in names}
        response = JsonResponse({"version": now.version, "devices": devices})
    response["ETag"] = f'"{now.version}"'
    return response


def within(request: HttpRequest, now: Pool, names: list[str]) -> list[str]:
    """Leave out devices that the page does not show: of a large pool that is nearly all."""
    if wanted := request.GET.get("names", ""):
        return sorted(set(wanted.split(",")) & set(names))
    racks = request.GET.get("racks", "").split(",")
    shown_racks = set(Rack.objects.filter(name__in=racks).order_by().values_list("pk", flat=True))
    return [name for name in names if now.devices[name].rack_id in shown_racks]
