"""Renewing and returning: one request, or several that were selected, each with what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from devices.models import Device
from mozpool_site import commands
from mozpool_site.api.access import Role
from mozpool_site.api.values import LARGEST_ID, row_id
from mozpool_site.errors import InvalidInputError, MozpoolError, UnknownNameError
from pages.access import Person, page
from pages.requests.forms import seconds_of
from requests_app import lease, services
from requests_app.api.ownership import demand_ownership
from requests_app.models import Request

RENEW, RETURN = "renew", "return"
# As many as a page of the list has.
MOST = 100


@dataclass(frozen=True)
class Result:
    """What became of one request: a sentence, and whether it is what was asked for."""

    number: int
    done: bool
    told: str


@page(post=Role.REQUESTER)
def renew(request: HttpRequest, caller: Person, number: int) -> HttpResponse:
    """Set the time left, from now; back to the request."""
    seconds = _duration(request)
    return _answered(request, number, _do(RENEW, number, seconds, caller))


@page(Role.REQUESTER, post=Role.REQUESTER)
def give_back(request: HttpRequest, caller: Person, number: int) -> HttpResponse:
    """Ask whether to return a request, and do it."""
    if request.method == "POST":
        return _answered(request, number, _do(RETURN, number, 0, caller))
    row = _own(number, caller)
    held = Device.objects.filter(held_by=number).values("name", "state", "held_by").first()
    context = {"row": row, "held": held, "may_return": row.ended is None}
    return render(request, "pages/requests/return.html", context)


@page(post=Role.REQUESTER)
def several(request: HttpRequest, caller: Person) -> HttpResponse:
    """Show what would be done to the selected requests; once that is confirmed, do it and show what became of each."""
    action = request.POST.get("action", "")
    if action not in (RENEW, RETURN):
        raise InvalidInputError("action: renew or return expected", field="action")
    numbers = _numbers(request)
    seconds = _duration(request) if action == RENEW else 0
    context = {"action": action, "seconds": seconds, "span": commands.span(seconds)}
    if request.POST.get("confirmed") == "yes":
        results = [_tried(action, number, seconds, caller) for number in numbers]
        done = sum(result.done for result in results)
        return render(request, "pages/requests/results.html", {**context, "results": results, "done": done})
    return render(request, "pages/requests/several.html", {**context, "rows": _shown(numbers)})


def _shown(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Read the selected requests that there are, with their devices; two queries."""
    held = dict(Device.objects.filter(held_by__in=numbers).values_list("held_by", "name"))
    columns = ("pk", "state", "assignee", "owner", "image__name", "duration", "ready_at", "expires", "ended")
    rows = Request.objects.filter(pk__in=numbers).order_by("-pk").values(*columns)
    return [
        {
            **row,
            "expires": lease.end(row["duration"], row["ready_at"], row["expires"]),
            "device": held.get(row["pk"], ""),
        }
        for row in rows
    ]


def _numbers(request: HttpRequest) -> list[int]:
    texts = request.POST.getlist("request")
    numbers = [row_id(text) for text in texts]
    if not texts or len(texts) > MOST:
        raise InvalidInputError(f"request: select 1 to {MOST} requests, got {len(texts)}", field="request")
    found = [number for number in numbers if number is not None]
    if len(found) < len(numbers):
        raise InvalidInputError("request: numbers of requests expected", field="request")
    return sorted(set(found), reverse=True)


def _duration(request: HttpRequest) -> int:
    """Read the seconds of a preset, or what was written as another time. Raises InvalidInputError."""
    written = request.POST.get("other", "").strip() if not request.POST.get("duration") else ""
    try:
        seconds = seconds_of((written or request.POST.get("duration", ""))[:40])
    except forms.ValidationError as error:
        raise InvalidInputError(f"duration: {error.messages[0]}", field="duration") from error
    services.check_duration(seconds)
    return seconds


def _own(number: int, caller: Person) -> Request:
    """Give a request that is the caller's to act on. Raises UnknownNameError, NotAllowedError."""
    row = Request.objects.filter(pk=number).first() if number <= LARGEST_ID else None
    if row is None:
        raise UnknownNameError(f"there is no request {number}", field="request")
    demand_ownership(caller, row)
    return row


def _do(action: str, number: int, seconds: int, caller: Person) -> Result:
    """Renew or return a request. Raises what the service refuses."""
    before = _own(number, caller)
    if action == RENEW:
        renewed = services.renew(number, seconds, by=caller.actor)
        runs = lease.end(renewed.duration, renewed.ready_at, renewed.expires) is not None
        told = (
            f"ends in {commands.span(seconds)}"
            if runs
            else f"ends {commands.span(seconds)} after it is ready"
        )
        return Result(number, True, told)
    services.return_request(number, by=caller.actor)
    return Result(number, True, "returned" if before.ended is None else f"had ended already: {before.state}")


def _tried(action: str, number: int, seconds: int, caller: Person) -> Result:
    try:
        return _do(action, number, seconds, caller)
    except MozpoolError as error:
        return Result(number, False, error.detail)


def _answered(request: HttpRequest, number: int, result: Result) -> HttpResponse:
    """Tell what was done: the page's queue as JSON, people on the request's page."""
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"request": number, "told": result.told})
    messages.success(request, f"Request {number}: {result.told}.")
    return HttpResponseRedirect(reverse("pages:request", args=[number]))
