"""The log pages of devices and requests: read, filter, follow, download."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from devices.listing import device_named
from mozpool_site.access.roles import Role
from mozpool_site.api.values import LARGEST_ID
from mozpool_site.errors import UnknownNameError
from pages import live, texts
from pages.access import Person, page
from pages.device.marks import read_mark
from pages.log import reading
from pages.log.reading import Filters, Line, Subject
from requests_app.models import Request


@page(Role.VIEWER)
def device_log(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Show a device's log."""
    back = reverse("pages:device", args=[name])
    return _log(request, _device(name), back, reverse("pages:device_log_lines", args=[name]))


@page(Role.VIEWER)
def request_log(request: HttpRequest, person: Person, number: int) -> HttpResponse:
    """Show the log of a request, with what its devices did for it."""
    back = reverse("pages:request", args=[number])
    return _log(request, _request(number), back, reverse("pages:request_log_lines", args=[number]))


def _version_of_device(request: HttpRequest, person: Person, name: str) -> str:
    return live.version(device=_device(name).device)


@page(Role.VIEWER)
@live.live(_version_of_device)
def device_log_lines(request: HttpRequest, person: Person, name: str) -> HttpResponse:
    """Give the lines of a device's log that came `after` one."""
    return _lines(request, _device(name))


def _version_of_request(request: HttpRequest, person: Person, number: int) -> str:
    return live.version(request=number)


@page(Role.VIEWER)
@live.live(_version_of_request)
def request_log_lines(request: HttpRequest, person: Person, number: int) -> HttpResponse:
    """Give the lines of a request's log that came `after` one."""
    return _lines(request, _request(number))


def _device(name: str) -> Subject:
    device = device_named(name)
    return Subject(device.name, device=device.pk)


def _request(number: int) -> Subject:
    if number > LARGEST_ID or not Request.objects.filter(pk=number).exists():
        raise UnknownNameError(f"there is no request {number}", field="request")
    return Subject(f"request {number}", request=number)


def _log(request: HttpRequest, subject: Subject, back: str, lines_at: str) -> HttpResponse:
    filters = reading.filters_of(request)
    if "download" in request.GET:
        return _download(subject, filters)
    before = read_mark(request.GET.get("before"), "before")
    query = request.GET.copy()
    query.pop("before", None)
    context: dict[str, Any] = {
        "subject": subject,
        "filters": filters,
        "part": reading.part(subject, filters, before),
        "before": before,
        "back": back,
        "lines_at": lines_at,
        "query": query.urlencode(),
        "sources": reading.SOURCES,
    }
    return render(request, "pages/log/log.html", context)


def _lines(request: HttpRequest, subject: Subject) -> HttpResponse:
    after = read_mark(request.GET.get("after"), "after")
    part = reading.since(subject, reading.filters_of(request), after)
    return render(request, "pages/log/_new.html", {"part": part, "subject": subject})


def _download(subject: Subject, filters: Filters) -> HttpResponse:
    lines, more = reading.download(subject, filters)
    text = "".join(_written(subject, filters, lines, more=more))
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    name = subject.name.replace(" ", "-")
    response["Content-Disposition"] = f'attachment; filename="{name}.log"'
    return response


def _written(subject: Subject, filters: Filters, lines: Iterable[Line], *, more: bool) -> Iterable[str]:
    yield f"# Log of {subject.name}, times in UTC\n"
    if filters.source:
        yield f"# Only lines from {reading.SOURCES[filters.source]}\n"
    if filters.words:
        yield f"# Only lines with {texts.visible(filters.words)}\n"
    if more:
        yield f"# Only the newest {reading.MOST_DOWNLOADED} lines; there are older ones\n"
    for line in lines:
        moment = line["time"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        who = f" {texts.visible(line['actor'])}" if line["actor"] else ""
        device = f" [{line['device']}]" if subject.request is not None and line["device"] else ""
        # A line is a line: whoever reads it with a program counts on that.
        message = texts.visible(line["message"]).replace("\n", "\\n")
        yield f"{moment} {line['source']}{who}{device}: {message}\n"
