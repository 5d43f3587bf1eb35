"""Streams of events: what happens to one request, or in the pool, as it happens (text/event-stream).

An event has the number of a line to resume after, so that a client that was cut off sends it as Last-Event-ID; lines
of the last seconds may then come twice, none is left out. Who has missed thousands gets the newest, and is told so.
Where the web server can't wait (Django's own), a stream ends after what is there already.
"""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request as Call

from devices.api.v2.journal import lines as as_lines
from devices.listing import device_named
from devices.models import Journal
from mozpool_site.api.access import Caller, Role
from mozpool_site.api.endpoint import with_and_without_slash
from mozpool_site.api.v2 import wire
from mozpool_site.api.v2.routes import single
from mozpool_site.api.v2.views import ApiView
from mozpool_site.api.values import LARGEST_ID, row_id
from mozpool_site.errors import InvalidInputError, TooManyError, UnknownNameError
from mozpool_site.waiting import in_thread
from requests_app.api.v2 import rendering, waiting
from requests_app.api.v2.rendering import Entry
from requests_app.models import Request
from requests_app.waiting.watcher import LINE, Line, Wanted, Watch, watcher

_TYPE = "text/event-stream"
_HEARTBEAT = 15.0
# Milliseconds after which a browser that was cut off comes again.
_RETRY = "retry: 2000\n\n"
_PAGE = 500
# Lines that a stream is behind at most: who has missed more goes on from there, and is told what is left out.
MOST_MISSED = 5000
# Lines that were written together may differ so much between the order of their numbers and that of their times.
_DISORDER = timedelta(minutes=5)
_STREAM = OpenApiResponse(
    OpenApiTypes.STR, description="Events `state`, `journal` and perhaps `missed`; their data is JSON."
)
_LAST = OpenApiParameter(
    "Last-Event-ID",
    OpenApiTypes.STR,
    "header",
    description="Resume the journal behind it; who has missed thousands of lines is told so by an event `missed`.",
)


def _event(name: str, data: object, number: int | None = None) -> str:
    identity = "" if number is None else f"id: {number}\n"
    return f"{identity}event: {name}\ndata: {wire.encode(data).decode()}\n\n"


def _last_event(request: HttpRequest) -> int | None:
    """Give the number to resume after. Raises InvalidInputError."""
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID)) else -1
    if not 0 <= number <= LARGEST_ID:
        raise InvalidInputError("Last-Event-ID: the id of an event expected", field="Last-Event-ID")
    return number


def _wanted(request: HttpRequest) -> Wanted:
    """Read which lines of the pool's journal are wanted. Raises InvalidInputError, UnknownNameError."""
    name, number = request.GET.get("device"), request.GET.get("request")
    device = None if name is None else device_named(name).pk
    request_ = None if number is None else row_id(number)
    if number is not None and not Request.objects.filter(pk=request_ or 0).exists():
        raise UnknownNameError(f"there is no request {number[:63]!r}", field="request")
    return Wanted(device, request_)


def _missed(wanted: Wanted, after: int | None) -> tuple[list[int], bool]:
    """Return the numbers of the wanted lines behind one, and whether only the newest: none for who comes first."""
    if after is None:
        return [], False
    found: QuerySet[Journal] = Journal.objects.filter(pk__gt=after)
    order = ["-pk"]
    if wanted != Wanted():
        # Along the index of a device's or a request's lines, and no further back than need be.
        order = ["-time", "-pk"]
        if since := Journal.objects.filter(pk=after).values_list("time", flat=True).first():
            found = found.filter(time__gte=since - _DISORDER)
    if wanted.device is not None:
        found = found.filter(device_id=wanted.device)
    if wanted.request is not None:
        found = found.filter(request_id=wanted.request)
    numbers = list(found.order_by(*order).values_list("pk", flat=True)[: MOST_MISSED + 1])
    return sorted(numbers[:MOST_MISSED]), len(numbers) > MOST_MISSED


def _slices(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[first : first + _PAGE] for first in range(0, len(numbers), _PAGE))


def _lines(numbers: Sequence[int]) -> list[Line]:
    return list(Journal.objects.filter(pk__in=numbers).order_by("pk").values(*LINE))


def _left_out(numbers: Sequence[int]) -> str:
    """Write that lines are left out, up to the one before those that follow."""
    return _event("missed", {"until": numbers[0] - 1}, numbers[0] - 1)


def _told_at_once(wanted: Wanted, after: int | None) -> Iterator[str]:
    numbers, cut = _missed(wanted, after)
    if cut:
        yield _left_out(numbers)
    yield from (_lines_as_events(_lines(some)) for some in _slices(numbers))


def _lines_as_events(rows: Iterable[Line], resume: int | None = None) -> str:
    """Write lines; one behind which others may yet come names the number to resume after instead of its own."""
    written = as_lines([dict(row) for row in rows])
    return "".join(
        _event("journal", line, line["id"] if resume is None else min(line["id"], resume)) for line in written
    )


@dataclass(frozen=True)
class Stream:
    """One stream: of a request, or (`number` None) of the pool."""

    request: HttpRequest
    caller: Caller
    wanted: Wanted
    last: int | None
    number: int | None = None

    async def run(self) -> AsyncIterator[str]:
        """Give events until a request has ended, the process ends, the client is too slow, or may listen no longer."""
        # The answer has begun: who opens very many at one moment finds those that are too many ended.
        with (
            suppress(TooManyError),
            waiting.places().taken(self.caller),
            watcher().watch(self.number, self.wanted) as watch,
        ):
            await watch.begun()
            # What is numbered up to here will not be told a second time.
            begun = watch.resume or 0
            yield f"{_RETRY}: what happens from now on is told\n\n"
            entry = None
            if self.number is not None:
                entry = await waiting.load(self.number, self.caller)
                watch.seq = entry["state_seq"] if watch.seq is None else watch.seq
                yield _event("state", entry)
            numbers, cut = await in_thread(partial(_missed, self.wanted, self.last))
            if cut:
                yield _left_out(numbers)
            for some in _slices(numbers):
                page = await in_thread(partial(_lines, some))
                yield await in_thread(partial(_lines_as_events, page))
            known = {number for number in numbers if number > begun}
            async for text in self._live(watch, entry, known):
                yield text

    async def _live(self, watch: Watch, entry: Entry | None, known: set[int]) -> AsyncIterator[str]:
        looked = time.monotonic()
        while not watch.over and (entry is None or entry["ended"] is None):
            quiet = not await watch.news(_HEARTBEAT)
            if quiet or time.monotonic() > looked + _HEARTBEAT:
                if not await in_thread(partial(waiting.still_welcome, self.request, self.caller)):
                    return
                looked = time.monotonic()
            if quiet:
                yield ": still here\n\n"
                continue
            if entry is not None and watch.seq not in (None, entry["state_seq"]):
                entry = await waiting.load(entry["id"], self.caller)
                watch.seq = entry["state_seq"]
                yield _event("state", entry)
            fresh = [line for line in watch.take_lines() if line["id"] not in known]
            if fresh:
                yield await in_thread(partial(_lines_as_events, fresh, watch.resume))


def _answer(request: HttpRequest, content: Any) -> HttpResponseBase:
    """Make the answer; a HEAD is told what a GET would give, and ends."""
    if request.method == "HEAD":
        response: HttpResponseBase = HttpResponse(content_type=_TYPE)
    else:
        response = StreamingHttpResponse(content, content_type=_TYPE)
    response.headers["Cache-Control"] = "no-store"
    # Proxies such as nginx would else keep events back until they have a bufferful.
    response.headers["X-Accel-Buffering"] = "no"
    return response


@waiting.problems_told
async def request_stream(request: HttpRequest, id: str) -> HttpResponseBase:  # noqa: A002 - as the schema calls it
    """Stream what happens to a request."""
    caller = await waiting.caller_of(request, ())
    waiting.places().demand(caller)
    number, last = waiting.number_in(id), _last_event(request)
    await waiting.load(number, caller)
    return _answer(request, Stream(request, caller, Wanted(request=number), last, number).run())


@waiting.problems_told
async def pool_stream(request: HttpRequest) -> HttpResponseBase:
    """Stream the journal of the pool, or of one device or request."""
    caller = await waiting.caller_of(request, ("device", "request"))
    waiting.places().demand(caller)
    last = _last_event(request)
    wanted = await in_thread(partial(_wanted, request))
    return _answer(request, Stream(request, caller, wanted, last).run())


class RequestEvents(ApiView):
    """What happens to a request, as it happens."""

    least = {"get": Role.VIEWER}

    @extend_schema(operation_id="requests_events", responses={(200, _TYPE): _STREAM}, parameters=[_LAST])
    def get(self, request: Call, **parts: str) -> HttpResponseBase:
        """Stream the request's state, then each change and each line of its journal; ends when it has ended."""
        inner = request._request  # noqa: SLF001 - headers are all that it needs
        number, last = waiting.number_in(parts["id"]), _last_event(inner)
        begin = _RETRY + _event("state", rendering.entry_of(number, self.caller))
        return _answer(inner, [begin, *_told_at_once(Wanted(request=number), last)])


class PoolEvents(ApiView):
    """What happens in the pool, as it happens."""

    least = {"get": Role.VIEWER}
    parameters = {"get": frozenset({"device", "request"})}

    @extend_schema(
        operation_id="events",
        responses={(200, _TYPE): _STREAM, 404: OpenApiResponse(description="No such device or request.")},
        parameters=[_LAST, OpenApiParameter("device", str), OpenApiParameter("request", int)],
    )
    def get(self, request: Call) -> HttpResponseBase:
        """Stream the journal, of one device or request if you like."""
        inner = request._request  # noqa: SLF001 - headers and query are all that it needs
        return _answer(inner, [_RETRY, *_told_at_once(_wanted(inner), _last_event(inner))])


urlpatterns: list[URLPattern] = [
    *single("requests/<str:id>/events", RequestEvents),
    *single("events", PoolEvents),
]
waiting_urlpatterns: list[URLPattern] = [
    *waiting.urlpatterns,
    *with_and_without_slash("requests/<str:id>/events", request_stream),
    *with_and_without_slash("events", pool_stream),
]
