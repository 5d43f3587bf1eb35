"""Plans that go on: waiting for a request, keeping it alive, and following what happens to it or to a device."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Union

from mozpool_client.answers import content
from mozpool_client.errors import BadAnswer, Conflict, NotReadyInTime, RequestEnded, TooMany, Unavailable
from mozpool_client.models import JournalLine, Request, read_journal_line, read_request
from mozpool_client.plans import Plans
from mozpool_client.sse import Decoder, ServerEvent
from mozpool_client.wire import Answer, Emit, Flow, NextLine, NoAnswer, Plan, Sleep

# A look that waits ends after so many seconds though nothing changed: place and estimate change without the state.
LONG_LOOK = 15.0
# A server that does not wait when asked to is asked once a second.
_SHORTEST_LOOK = 1.0
# While a request is kept alive, a call is given up after so many seconds: the next one may be a renewal.
_BRIEF = 5.0
# Three heartbeats of a stream missed.
_SILENT = 45.0
_RECONNECT = 1.0
# Lines that a server repeats after a break; it repeats seconds, not hours.
_REMEMBERED = 1000

Followed = Union[JournalLine, Request]


def until_ready(plans: Plans, request: Request, timeout: float | None) -> Flow[Request]:
    """Emit a request, and again whenever it was looked at, until it is ready. A pool that is away is waited for.

    Raises RequestEnded when it ends before, NotReadyInTime after `timeout` seconds (None: never).
    """
    ends = None if timeout is None else time.monotonic() + timeout
    yield Emit(request)
    while not (request.is_ready or request.has_ended):
        left = LONG_LOOK if ends is None else min(LONG_LOOK, ends - time.monotonic())
        if left <= 0:
            break
        found = yield from _long_look(plans, request, left)
        if found is not None:
            request = found
            yield Emit(request)
    check_ready(request, timeout)


def check_ready(request: Request, timeout: float | None) -> None:
    """Raise RequestEnded or NotReadyInTime for a request that is not ready."""
    if request.is_ready:
        return
    if request.has_ended:
        raise RequestEnded(
            f"request {request.id} ended before it was ready: {request.state}", request=request
        )
    why = f": {request.waiting.detail}" if request.waiting else ""
    raise NotReadyInTime(
        f"request {request.id} is not ready after {timeout or 0:g} s, but {request.state}{why}",
        request=request,
    )


def has_lost(now: Request, given: Request) -> bool:
    """Whether a request has no longer the device that it had when it was ready; another one is no substitute."""
    if given.device is None or now.has_ended:
        return now.has_ended
    return now.device is None or now.device.name != given.device.name


def keep(plans: Plans, request: Request, duration: int) -> Flow[Request]:
    """Renew a request for `duration` seconds whenever a third of that has passed; emit it at each look, until it ends.

    Before its time has begun there is nothing to renew.
    A pool that is away is asked again until it is back; whether the request has outlived that, it tells then.
    """
    renewal = time.monotonic() + duration / 3
    while not request.has_ended:
        left = renewal - time.monotonic() if request.expires else LONG_LOOK
        if left > 0:
            found = yield from _long_look(plans, request, min(LONG_LOOK, left))
        else:
            found = yield from _renew(plans, request.id, duration)
            renewal = time.monotonic() + (duration / 3 if found is not None else min(5.0, duration / 10))
        if found is not None:
            request = found
            yield Emit(request)


def _renew(plans: Plans, number: int, duration: int) -> Plan[Request | None]:
    """Renew a request; give it as it is when it has ended; None when no server can answer."""
    try:
        return (yield from plans.renew(number, duration, _BRIEF))
    except Conflict:
        return (yield from plans.look(number))
    except (Unavailable, TooMany):
        return None


def _long_look(plans: Plans, request: Request, seconds: float) -> Plan[Request | None]:
    """Look until something changes or the seconds are over; None when no server can answer."""
    if seconds < 1:
        # The server waits for whole seconds.
        yield Sleep(seconds)
        return None
    began = time.monotonic()
    try:
        found = yield from plans.look(request.id, int(seconds), request.state_seq, _BRIEF)
    except (Unavailable, TooMany):
        yield Sleep(min(_SHORTEST_LOOK, seconds))
        return None
    passed = time.monotonic() - began
    if found.state_seq == request.state_seq and passed < min(_SHORTEST_LOOK, seconds):
        yield Sleep(min(_SHORTEST_LOOK, seconds) - passed)
    return found


def follow(
    plans: Plans, *, request: int | None = None, device: str | None = None, after: int | None = None
) -> Flow[Followed]:
    """Emit each line of the journal, and the request at each change, as they come; old lines above `after` first.

    One request's events end with it; those of a device or the whole pool never do. A stream that breaks is
    begun again where it broke.
    """
    path = "events/" if request is None else f"requests/{request:d}/events/"
    params = {} if device is None else {"device": device}
    resume = None if after is None else str(after)
    # After a break the server may repeat lines of the last seconds, rather than leave one out.
    known: deque[int] = deque(maxlen=_REMEMBERED)
    # The last lines of the journal may come after the state that they tell of; the server ends the stream then.
    ended = False
    while not ended:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": resume} if resume is not None else {})}
        yield from _begin(plans, path, params, headers)
        decoder = Decoder()
        while True:
            line: str | NoAnswer | None = yield NextLine()
            if not isinstance(line, str):
                break
            event = decoder.feed(line)
            if event is None:
                continue
            resume = event.id or resume
            found = _read(event)
            if found is None or (isinstance(found, JournalLine) and found.id in known):
                continue
            if isinstance(found, JournalLine):
                known.append(found.id)
            else:
                ended = found.has_ended
            yield Emit(found)
        if not ended:
            yield Sleep(_RECONNECT)


def _begin(plans: Plans, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Plan[None]:
    call = plans.call("GET", path, params=params, headers=headers, stream=True, timeout=_SILENT)
    answer: Answer = yield from plans.servers.exchange(call)
    content(answer)


def _read(event: ServerEvent) -> Followed | None:
    """Read an event; None for kinds that we don't know. Raises BadAnswer."""
    readers = {"state": read_request, "journal": read_journal_line}
    reader = readers.get(event.name)
    if reader is None:
        return None
    try:
        found = json.loads(event.data)
    except ValueError:
        raise BadAnswer("an event's data is no JSON", code="bad_answer") from None
    value = reader(found)
    return value if isinstance(value, (JournalLine, Request)) else None
