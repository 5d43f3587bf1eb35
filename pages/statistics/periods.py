"""The time that statistics are about, cut into slots of an hour or a day. All in UTC, as all that is stored."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pages.charts import Slot

HOUR, DAY = 3600, 86_400
# More slots than this are too thin to be seen side by side, and more rows than a page should read.
LONGEST_DAYS = 92


@dataclass(frozen=True)
class Period:
    """`number` slots of `length` seconds from `since` on; the last one may not be over yet."""

    since: datetime
    number: int
    length: int

    @property
    def until(self) -> datetime:
        """The end of the last slot."""
        return self.since + timedelta(seconds=self.number * self.length)

    def slots(self) -> list[Slot]:
        """Name the slots."""
        step = timedelta(seconds=self.length)
        return [_slot(self.since + place * step, self.length) for place in range(self.number)]

    def passed(self, place: int, now: datetime) -> float:
        """Give how many seconds of a slot have passed."""
        begun = (now - self.since).total_seconds() - place * self.length
        return min(float(self.length), max(0.0, begun))


def last_days(days: int, now: datetime) -> Period:
    """Give the days until tonight; for one day the 24 hours until the end of this one."""
    if days == 1:
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return Period(hour - timedelta(hours=23), 24, HOUR)
    return Period(_midnight(now.astimezone(UTC).date() - timedelta(days=days - 1)), days, DAY)


def between(first: date, last: date) -> Period:
    """Give the days from the first to the last, both included; a single day by its hours."""
    if first == last:
        return Period(_midnight(first), 24, HOUR)
    return Period(_midnight(first), (last - first).days + 1, DAY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _slot(begin: datetime, length: int) -> Slot:
    if length == HOUR:
        return Slot(f"{begin:%H}:00", f"{begin.day} {begin:%B}, {begin:%H}:00")
    return Slot(f"{begin.day} {begin:%b}", f"{begin:%A} {begin.day} {begin:%B}")
