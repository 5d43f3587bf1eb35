"""The home page: the three layers, who waits, what failed lately, and the racks as small maps, all of it live."""

import hashlib

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone

from mozpool_site.access.roles import Role
from pages.access import Person, page
from pages.home.glance import at_a_glance
from pages.home.shapes import Glance
from pages.racks.maps import maps
from pages.racks.queries import cells_in
from pages.shell.devices import shown, within
from pages.shell.pool import changed_since, pool

# Racks that the home page shows; more are on the page of racks.
_MOST_RACKS = 40


@page(Role.VIEWER)
def home(request: HttpRequest, person: Person) -> HttpResponse:
    """Show the pool at a glance."""
    version, seen = pool.get(timezone.now()).version, at_a_glance()
    racks = seen.hardware.racks
    listed = racks[:_MOST_RACKS]
    context = {
        "glance": seen,
        "maps": maps(listed, cells_in(listed), seen.hardware.racks_down),
        "more_racks": len(racks) > len(listed),
        "live_version": f"{version}.{_digest(seen)}",
    }
    return render(request, "pages/home.html", context)


@page(Role.VIEWER)
def home_live(request: HttpRequest, person: Person) -> HttpResponseBase:
    """Give what changed since the version in If-None-Match: devices as `changed_devices` does, the cards as HTML."""
    now, seen = pool.get(timezone.now()), at_a_glance()
    version = f"{now.version}.{_digest(seen)}"
    before = request.META.get("HTTP_IF_NONE_MATCH", "").removeprefix("W/").strip('"')
    response: HttpResponseBase
    if before == version:
        response = HttpResponseNotModified()
    else:
        pool_before, _, glance_before = before.partition(".")
        names = within(request, now, changed_since(now, pool_before))
        told = {"version": version, "devices": {name: shown(name, now.devices[name]) for name in names}}
        if glance_before != _digest(seen):
            told["parts"] = {"glance": render_to_string("pages/home/_glance.html", {"glance": seen})}
        response = JsonResponse(told)
    response["ETag"] = f'"{version}"'
    return response


def _digest(seen: Glance) -> str:
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:12]
