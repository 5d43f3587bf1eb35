"""Adds each day and hour up once it is over: how requests ended, where devices were used, which installations failed.

A page about weeks then reads a row for each day, and for each hour after the last one, instead of every request. All is
told by the day or hour in which it *ended*: nothing of that changes later. A device counts for the rack and environment
that it was in when this was added up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from lifeguard.models import FAILED, Install
from mozpool_site.epoch import Epoch, Slots
from requests_app.models import DailyFigures, HourlyFigures, Request

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
# As far back as a page looks at once: older days are still there, as requests.
REACH_DAYS = 92
# Whoever ended something before midnight has committed it by then.
_OVER_FOR = timedelta(hours=1)
_HOUR_OVER_FOR = timedelta(minutes=5)
# From the midnight before the last one, whose day is added up an hour after its end, until now.
_REACH_HOURS = 30

MomentT = TypeVar("MomentT", date, datetime)


@dataclass(frozen=True)
class Ended:
    """Requests that ended, of devices of an environment (or asked for there, without ever a device)."""

    environment: str
    served: int
    left: int
    failed: int


@dataclass(frozen=True)
class Held:
    """`number` uses of a rack's devices that began on one day, or in one hour, `first`; `begins` and `ends` are sums.

    Days, hours and seconds count from 1970.
    """

    rack: int
    environment: str
    first: int
    number: int
    begins: int
    ends: int


@dataclass(frozen=True)
class Tried:
    """Installations of an image, or on a device."""

    environment: str
    name: str
    failed: int
    total: int


@dataclass(frozen=True)
class Figures:
    """All that is kept of a day or an hour. Of devices those on which something failed."""

    ended: Sequence[Ended]
    held: Sequence[Held]
    images: Sequence[Tried]
    devices: Sequence[Tried]


_KINDS: dict[str, type[Ended] | type[Held] | type[Tried]] = {
    "ended": Ended, "held": Held, "images": Tried, "devices": Tried,
}  # fmt: skip


def add_up_next(now: datetime) -> date | None:
    """Add up the oldest day that is over and has not been, within reach; give it, None where none is left.

    Who is second with a day stores the same once more.
    """
    newest = (now - _OVER_FOR).astimezone(UTC).date() - timedelta(days=1)
    oldest = newest - timedelta(days=REACH_DAYS - 1)
    there = set(DailyFigures.objects.filter(day__gte=oldest).values_list("day", flat=True))
    for back in range(REACH_DAYS):
        day = oldest + timedelta(days=back)
        if day not in there:
            add_up(day)
            return day
    return None


def add_up(day: date) -> None:
    """Store the figures of a day that is over."""
    figures = _added_up(datetime.combine(day, time.min, UTC), _DAY)
    DailyFigures.objects.update_or_create(day=day, defaults={"figures": figures})


def add_up_next_hour(now: datetime) -> datetime | None:
    """Add up the oldest hour that is over and has not been, within reach; return it, None where none is left."""
    newest = (now - _HOUR_OVER_FOR).astimezone(UTC).replace(minute=0, second=0, microsecond=0) - _HOUR
    oldest = newest - (_REACH_HOURS - 1) * _HOUR
    there = set(HourlyFigures.objects.filter(hour__gte=oldest).values_list("hour", flat=True))
    for back in range(_REACH_HOURS):
        hour = oldest + back * _HOUR
        if hour not in there:
            HourlyFigures.objects.update_or_create(hour=hour, defaults={"figures": _added_up(hour, _HOUR)})
            HourlyFigures.objects.filter(hour__lt=oldest).delete()
            return hour
    return None


def kept_since(day: date) -> list[tuple[date, Figures]]:
    """Return the figures of a day and those after it that are there without a gap; one query."""
    rows = DailyFigures.objects.filter(day__gte=day).order_by("day").values_list("day", "figures")
    return _without_gap(rows, day, _DAY)


def hours_since(hour: datetime) -> list[tuple[datetime, Figures]]:
    """Return the figures of an hour and those after it that are there without a gap; one query."""
    rows = HourlyFigures.objects.filter(hour__gte=hour).order_by("hour").values_list("hour", "figures")
    return _without_gap(rows, hour, _HOUR)


def _without_gap(
    rows: Iterable[tuple[MomentT, Any]], begin: MomentT, step: timedelta
) -> list[tuple[MomentT, Figures]]:
    found: list[tuple[MomentT, Figures]] = []
    for moment, told in rows:
        if moment != begin + step * len(found):
            break
        parts: dict[str, Any] = {kind: [of(*row) for row in told[kind]] for kind, of in _KINDS.items()}
        found.append((moment, Figures(**parts)))
    return found


def _added_up(begin: datetime, length: timedelta) -> dict[str, Any]:
    """Add up what ended in a day or an hour; four queries, bounded by indexes on when things ended."""
    end = begin + length
    ended = Request.objects.filter(ended__gte=begin, ended__lt=end).order_by()
    installs = Install.objects.filter(finished__gte=begin, finished__lt=end).order_by()
    bad = installs.filter(FAILED)
    held = _held(ended, int(length.total_seconds()))
    figures = Figures(_ended(ended), held, _tried(installs, "image__name"), _tried(bad, "device__name"))
    return {kind: [astuple(row) for row in getattr(figures, kind)] for kind in _KINDS}


def _ended(ended: QuerySet[Request]) -> list[Ended]:
    where, closed = Coalesce("last_device__environment", "environment"), Q(state="closed")
    rows = ended.values(where=where).annotate(
        served=Count("pk", filter=closed & Q(ready_at__isnull=False)),
        left=Count("pk", filter=closed & Q(ready_at__isnull=True)),
        failed=Count("pk", filter=~closed),
    )
    return [Ended(*row) for row in rows.values_list("where", "served", "left", "failed")]


def _held(ended: QuerySet[Request], slot: int) -> list[Held]:
    uses = ended.filter(matched_at__isnull=False, last_device__isnull=False)
    begin, end = Epoch(F("matched_at")), Epoch(F("ended"))
    rows = uses.values("last_device__rack_id", "last_device__environment", first=Slots(begin, slot))
    cells = rows.annotate(number=Count("pk"), begins=Sum(begin), ends=Sum(end))
    columns = ("last_device__rack_id", "last_device__environment", "first", "number", "begins", "ends")
    return [
        Held(rack, environment, first, number, int(begins), int(ends))
        for rack, environment, first, number, begins, ends in cells.values_list(*columns)
    ]


def _tried(installs: QuerySet[Install], name: str) -> list[Tried]:
    rows = installs.values("device__environment", name).annotate(
        failed=Count("pk", filter=Q(succeeded=False)), total=Count("pk")
    )
    return [Tried(*row) for row in rows.values_list("device__environment", name, "failed", "total")]
