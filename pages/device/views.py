"""The page of a device, its live part, older parts of its story, and the two things that are noted on it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from devices.listing import device_named
from devices.services import comments_digest, set_comments
from lifeguard.quarantine import quarantine as put_into_quarantine
from mozpool_site.access.roles import Role
from mozpool_site.errors import MozpoolError
from pages import live
from pages.access import Person, page
from pages.device import detail as reading
from pages.device.marks import read_mark
from pages.device.streams import KINDS
from pages.tables import chosen


@page(Role.VIEWER)
def device(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Show a device; with `before`, an older part of its story instead of the newest."""
    return render(request, "pages/device/device.html", _context(request, person, name))


def _version(request: HttpRequest, person: Person, name: str) -> str:
    return reading.version(name)


@page(Role.VIEWER)
@live.live(_version)
def now(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Give what changes of a device's page; its story back to the entry `since`."""
    return render(request, "pages/device/_device.html", _context(request, person, name))


@page(Role.VIEWER)
def older(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Give the part of a device's story that comes `before` an entry."""
    found = device_named(name)
    kind = chosen(request, "kind", KINDS)
    story = reading.story(found, person, kind=kind, before=read_mark(request.GET.get("before"), "before"))
    return render(request, "pages/device/_older.html", {"device": found, "story": story})


@page(post=Role.OPERATOR)
def comments(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Store what is noted about a device, unless somebody else has noted something since the form was shown."""
    found = device_named(name)
    text = request.POST.get("comments", "").replace("\r\n", "\n")
    set_comments(found.pk, text, by=person.actor, seen=request.POST.get("seen", ""))
    messages.success(request, f"The comments of {found.name} are stored.")
    return redirect("pages:device", name=found.name)


@page(post=Role.OPERATOR)
def quarantine(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Take a device out of the pool, with a reason and perhaps a bug; what is wrong is told beside the form."""
    found = device_named(name)
    given = {key: request.POST.get(key, "") for key in ("reason", "bug")}
    try:
        locked = put_into_quarantine(found.pk, by=person.actor, **given)
    except MozpoolError as error:
        context = _context(request, person, name) | {"wrong": error, "given": given}
        return render(request, "pages/device/device.html", context, status=error.http_status)
    messages.success(request, f"{locked.name} is in quarantine: {locked.state.replace('_', ' ')}.")
    return redirect("pages:device", name=locked.name)


def _context(request: HttpRequest, person: Person, name: str) -> dict[str, Any]:
    found = reading.detail(name, person)
    kind = chosen(request, "kind", KINDS)
    before = read_mark(request.GET.get("before"), "before")
    since = read_mark(request.GET.get("since"), "since")
    return {
        "detail": found,
        "device": found.device,
        "story": reading.story(found.device, person, kind=kind, before=before, since=since, now=found.now),
        "before": before,
        "kinds": KINDS,
        "operator": person.may(Role.OPERATOR),
        "seen": comments_digest(found.device.comments),
    }
