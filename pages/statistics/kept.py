"""What statistics need not count any more: days and hours that have been added up (requests_app/daily.py)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pages.statistics.busy import Uses
from pages.statistics.periods import DAY, HOUR, Period
from requests_app.daily import Ended, Figures, Held, Tried, hours_since, kept_since


@dataclass
class Kept:
    """All of a period that ended before `until`, `outcomes` by slot; from then on rows are to be read.

    `devices` and `images` are installations that failed by name, `tried` all of them by image.
    """

    until: datetime
    outcomes: list[tuple[int, int, int]]
    uses: list[Uses] = field(default_factory=list)
    devices: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)


def kept(period: Period, environment: str) -> Kept:
    """Return what is kept of a period: whole days unless it is told by the hour, and the hours after them.

    Two queries at most.
    """
    found = Kept(period.since, [(0, 0, 0)] * period.number)
    if period.length == DAY:
        for _, figures in kept_since(period.since.date()):
            _add(found, figures, DAY, period, environment)
    for _, figures in hours_since(found.until):
        _add(found, figures, HOUR, period, environment)
    return found


def _add(found: Kept, figures: Figures, length: int, period: Period, environment: str) -> None:
    """Add what ended in the next so many seconds."""
    place = int((found.until - period.since).total_seconds()) // period.length
    # What ended after the period may have begun in it.
    found.uses += _uses(figures.held, length, place, period, environment)
    if place < period.number:
        served, left, failed = found.outcomes[place]
        more = _outcome(figures.ended, environment)
        found.outcomes[place] = (served + more[0], left + more[1], failed + more[2])
        _count(figures.devices, found.devices, Counter(), environment)
        _count(figures.images, found.images, found.tried, environment)
    found.until += timedelta(seconds=length)


def _outcome(ended: Iterable[Ended], environment: str) -> tuple[int, int, int]:
    mine = [row for row in ended if environment in ("", row.environment)]
    return sum(row.served for row in mine), sum(row.left for row in mine), sum(row.failed for row in mine)


def _count(tried: Iterable[Tried], failed: Counter[str], all_: Counter[str], environment: str) -> None:
    for row in tried:
        if environment in ("", row.environment):
            failed[row.name] += row.failed
            all_[row.name] += row.total


def _uses(held: Iterable[Held], length: int, last: int, period: Period, environment: str) -> Iterable[Uses]:
    """Cut uses that ended in slot `last` to the period: each that began before it begins with it, and likewise."""
    since = int(period.since.timestamp())
    for row in held:
        first, begins = (row.first * length - since) // period.length, row.begins - row.number * since
        ends = row.ends - row.number * since
        if environment not in ("", row.environment) or first >= period.number:
            continue
        if first < 0:
            first, begins = 0, 0
        if last >= period.number:
            ends = row.number * period.number * period.length
        place = min(last, period.number)
        yield Uses((row.rack, row.environment), first, place, row.number, begins, ends)
