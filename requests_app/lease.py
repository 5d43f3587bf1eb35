"""For how long: until when a request waits for a device, and when the time that it has the device begins and ends.

A request of the v2 API has its `duration` from the moment that it is ready; one of the legacy API from its filing.
Until that moment `expires` is only a bound for what has none of its own: the waiting, and then the preparation.
"""

from datetime import datetime, timedelta

from requests_app.models import Request

# As long as a request waits unless its owner says otherwise: over a night, and to the same hour of the next day.
USUAL_WAIT = 24 * 3600
# Whoever lost a device looks for another one at least so long, even if it did not want to wait at all: one may be free.
_SHORTEST_SEARCH = 10.0
# A device is ready, or given up, before: its table's patience with a named device and with all faults is some 35 hours.
_PREPARATION = timedelta(days=7)


def end(duration: int | None, ready_at: datetime | None, expires: datetime) -> datetime | None:
    """Return when a request ends by itself; None while its time has not begun."""
    return None if _is_ahead(duration, ready_at) else expires


def seconds_left(duration: int | None, ready_at: datetime | None, expires: datetime, now: datetime) -> int:
    """Return the seconds that the holder of a live request has; all of them while their time has not begun."""
    if duration is not None and ready_at is None:
        return duration
    return max(0, int((expires - now).total_seconds()))


def too_late(estimate: int | None, wait_left: float) -> bool:
    """Whether a request whose device is expected to be ready in so many seconds probably waits in vain."""
    return estimate is not None and estimate > wait_left


def search_seconds(request: Request, now: datetime) -> float:
    """Return what is left of the time that a request waits: the time since it got a device was no waiting."""
    since = now if request.state == "finding_device" else request.matched_at or now
    return max(_SHORTEST_SEARCH, (request.waits_until - since).total_seconds())


def wait_until(request: Request, moment: datetime) -> None:
    """Set how long a request waits for a device."""
    request.waits_until = moment
    _bound(request)


def begin(request: Request, now: datetime) -> None:
    """Let the time of a request begin: it is ready for the first time."""
    request.ready_at = now
    if request.duration is not None:
        request.expires = now + timedelta(seconds=request.duration)


def renew(request: Request, duration: int, now: datetime) -> None:
    """Give a request `duration` seconds: from now on, or from `ready` on where that is still to come."""
    if _is_ahead(request.duration, request.ready_at):
        request.duration = duration
        _bound(request)
    else:
        request.expires = now + timedelta(seconds=duration)


def _is_ahead(duration: int | None, ready_at: datetime | None) -> bool:
    return duration is not None and ready_at is None


def _bound(request: Request) -> None:
    if request.duration is not None and request.ready_at is None:
        request.expires = request.waits_until + _PREPARATION + timedelta(seconds=request.duration)
