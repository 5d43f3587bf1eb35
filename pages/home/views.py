"""The home page: the three layers, who waits, what failed lately, and the racks as small maps, all of it live."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string

from mozpool_site.access.roles import Role
from pages.access import Person, page
from pages.home.glance import at_a_glance
from pages.racks.maps import maps
from pages.shell.devices import news, version_before


@page(Role.VIEWER)
def home(request: HttpRequest, person: Person) -> HttpResponse:
    """Show the pool at a glance."""
    seen = at_a_glance()
    context = {
        "glance": seen,
        "maps": maps(seen.racks, seen.cells, seen.hardware.racks_down),
        "more_racks": len(seen.hardware.racks) > len(seen.racks),
        "live_version": seen.whole_version,
    }
    return render(request, "pages/home.html", context)


@page(Role.VIEWER)
def home_live(request: HttpRequest, person: Person) -> HttpResponseBase:
    """Give what changed since the version in If-None-Match: devices as `changed_devices` does, the cards as HTML."""
    seen, before = at_a_glance(), version_before(request)
    response: HttpResponseBase
    if before == seen.whole_version:
        response = HttpResponseNotModified()
    else:
        devices_before, _, cards_before = before.partition(".")
        changed = {} if devices_before == seen.version else news(request, devices_before)
        told: dict[str, Any] = {"version": seen.whole_version, "devices": changed}
        if cards_before != seen.whole_version.partition(".")[2]:
            told["parts"] = {"glance": render_to_string("pages/home/_glance.html", {"glance": seen})}
        response = JsonResponse(told)
    response["ETag"] = f'"{seen.whole_version}"'
    return response
