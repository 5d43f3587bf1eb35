"""The list of requests, and the page of one; each with a part that is fetched again while somebody looks."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from devices.models import Device
from mozpool_site.api.access import Role
from pages import live
from pages.access import Person, page
from pages.requests import listing
from pages.requests.detail import detail, version
from pages.requests.left import presets, urgency_of
from requests_app import lists
from requests_app.memory import Memory

# Seconds after which what waits is looked at anew, though nothing has happened to it: its estimate counts down.
_SLOT = 10


@page(Role.VIEWER)
def requests(request: HttpRequest, caller: Person) -> HttpResponse:
    """Show requests: open ones unless others are asked for."""
    context = {**_table(request, caller), "choices": listing.choices()}
    return render(request, "pages/requests/list.html", context)


def _moves(now: datetime) -> str:
    """Give a word that changes when the device of a request moves."""
    held = Device.objects.filter(held_by__isnull=False).aggregate(n=Count("pk"), seq=Sum("state_seq"))
    return f"{held}"


_moved: Memory[str] = Memory(_moves, 0.5)


def _version_of_table(request: HttpRequest, caller: Person) -> str:
    # A word that changes needs no exact time, and the database's would cost a query.
    now = timezone.now()
    return f"{live.requests_version()}.{_moved.get(now)}.{int(now.timestamp()) // _SLOT}"


@page(Role.VIEWER)
@live.live(_version_of_table)
def table(request: HttpRequest, caller: Person) -> HttpResponse:
    """Give the rows of the list alone."""
    return render(request, "pages/requests/_table.html", _table(request, caller))


def _table(request: HttpRequest, caller: Person) -> dict[str, Any]:
    filters = listing.read(request.GET)
    listed = listing.page(request, filters, caller)
    return {
        "filters": filters,
        "listed": listed,
        "sort": listing.sort_of(request),
        "presets": presets(),
        "query": request.GET.urlencode(),
        "searched": lists.SEARCHED,
        "may_act": any(row.mine for row in listed.rows),
        "may_request": caller.may(Role.REQUESTER),
    }


@page(Role.VIEWER)
def request_page(request: HttpRequest, caller: Person, number: int) -> HttpResponse:
    """Show one request."""
    return render(request, "pages/requests/request.html", _one(number, caller))


def _version_of_one(request: HttpRequest, caller: Person, number: int) -> str:
    return version(number)


@page(Role.VIEWER)
@live.live(_version_of_one)
def now(request: HttpRequest, caller: Person, number: int) -> HttpResponse:
    """Give what may change of one request's page."""
    context = _one(number, caller)
    response = render(request, "pages/requests/_request.html", context)
    if context["entry"]["ended"]:
        response["X-Live-Over"] = "yes"  # nothing changes any more: its page need not ask again
    return response


def _one(number: int, caller: Person) -> dict[str, Any]:
    found = detail(number, caller)
    left = found.entry["seconds_left"]
    return {
        "detail": found,
        "entry": found.entry,
        "presets": presets(left),
        "urgency": urgency_of(found.entry),
    }
