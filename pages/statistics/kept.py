"""What statistics need not count any more: the days of a period that have been added up (requests_app/daily.py)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from pages.statistics.busy import Uses
from pages.statistics.periods import DAY, Period
from requests_app.daily import Ended, Held, Tried, kept_since


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
    """Give what is kept of a period; nothing of one that is told by the hour. One query at most."""
    found = Kept(period.since, [(0, 0, 0)] * period.number)
    if period.length != DAY:
        return found
    for day, figures in kept_since(period.since.date()):
        place = (day - period.since.date()).days
        # What ended after the period may have begun in it.
        found.uses += _uses(figures.held, place, period, environment)
        if place < period.number:
            found.outcomes[place] = _outcome(figures.ended, environment)
            _count(figures.devices, found.devices, Counter(), environment)
            _count(figures.images, found.images, found.tried, environment)
        found.until = _midnight(day) + timedelta(days=1)
    return found


def _outcome(ended: Iterable[Ended], environment: str) -> tuple[int, int, int]:
    mine = [row for row in ended if environment in ("", row.environment)]
    return sum(row.served for row in mine), sum(row.left for row in mine), sum(row.failed for row in mine)


def _count(tried: Iterable[Tried], failed: Counter[str], all_: Counter[str], environment: str) -> None:
    for row in tried:
        if environment in ("", row.environment):
            failed[row.name] += row.failed
            all_[row.name] += row.total


def _uses(held: Iterable[Held], last: int, period: Period, environment: str) -> Iterable[Uses]:
    """Cut uses that ended in slot `last` to the period: each that began before it begins with it, and likewise."""
    since = int(period.since.timestamp())
    for row in held:
        first, begins = row.first - since // DAY, row.begins - row.number * since
        ends = row.ends - row.number * since
        if environment not in ("", row.environment) or first >= period.number:
            continue
        if first < 0:
            first, begins = 0, 0
        if last >= period.number:
            ends = row.number * period.number * DAY
        place = min(last, period.number)
        yield Uses((row.rack, row.environment), first, place, row.number, begins, ends)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
