"""Adds each day up once it is over: how requests ended, where devices were in use, which installations failed.

A page about weeks then reads a row for each day instead of every request. All is told by the day on which it *ended*:
nothing of that changes later. A device counts for the rack and environment that it was in when its day was added up.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from lifeguard.models import FAILED, Install
from mozpool_site.epoch import Epoch, Slots
from requests_app.models import DailyFigures, Request

DAY_SECONDS = 86_400
# As far back as a page looks at once: older days are still there, as requests.
REACH_DAYS = 92
# Whoever ended something before midnight has committed it by then.
_OVER_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class Ended:
    """Requests that ended, of devices of an environment (or asked for there, without ever a device)."""

    environment: str
    served: int
    left: int
    failed: int


@dataclass(frozen=True)
class Held:
    """`number` uses of a rack's devices that began on one day, `first`; `begins` and `ends` are sums.

    Days and seconds count from 1970.
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
    """All that is kept of a day. Of devices those on which something failed."""

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
    figures = figures_of(day)
    told = {kind: [astuple(row) for row in getattr(figures, kind)] for kind in _KINDS}
    DailyFigures.objects.update_or_create(day=day, defaults={"figures": told})


def kept_since(day: date) -> list[tuple[date, Figures]]:
    """Give the figures of a day and those after it that are there without a gap; one query."""
    rows: list[tuple[date, Figures]] = []
    for found, told in (
        DailyFigures.objects.filter(day__gte=day).order_by("day").values_list("day", "figures")
    ):
        if found != day + timedelta(days=len(rows)):
            break
        parts: dict[str, Any] = {kind: [of(*row) for row in told[kind]] for kind, of in _KINDS.items()}
        rows.append((found, Figures(**parts)))
    return rows


def figures_of(day: date) -> Figures:
    """Add a day up; four queries, bounded by indexes on when things ended."""
    begin = datetime.combine(day, time.min, UTC)
    end = begin + timedelta(days=1)
    ended = Request.objects.filter(ended__gte=begin, ended__lt=end).order_by()
    installs = Install.objects.filter(finished__gte=begin, finished__lt=end).order_by()
    bad = installs.filter(FAILED)
    return Figures(_ended(ended), _held(ended), _tried(installs, "image__name"), _tried(bad, "device__name"))


def _ended(ended: QuerySet[Request]) -> list[Ended]:
    where, closed = Coalesce("last_device__environment", "environment"), Q(state="closed")
    rows = ended.values(where=where).annotate(
        served=Count("pk", filter=closed & Q(ready_at__isnull=False)),
        left=Count("pk", filter=closed & Q(ready_at__isnull=True)),
        failed=Count("pk", filter=~closed),
    )
    return [Ended(*row) for row in rows.values_list("where", "served", "left", "failed")]


def _held(ended: QuerySet[Request]) -> list[Held]:
    uses = ended.filter(matched_at__isnull=False, last_device__isnull=False)
    begin, end = Epoch(F("matched_at")), Epoch(F("ended"))
    rows = uses.values("last_device__rack_id", "last_device__environment", first=Slots(begin, DAY_SECONDS))
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
