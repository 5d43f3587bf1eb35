"""For how long devices were in use in each slot, from what the database has added up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pages.statistics.periods import Period

# A rack's id and an environment.
Place = tuple[int, str]


@dataclass(frozen=True)
class Uses:
    """`number` uses at one place that begin in one slot and end in one; `begins` and `ends` are sums of seconds.

    Seconds count from the beginning of the period, which no use begins before.
    """

    place: Place
    first: int
    last: int
    number: int
    begins: int
    ends: int


def seconds_in_use(uses: Iterable[Uses], period: Period) -> Mapping[Place, list[float]]:
    """Give for each place and slot the seconds for which devices were in use there, all devices together."""
    found: defaultdict[Place, list[float]] = defaultdict(lambda: [0.0] * period.number)
    for one in uses:
        slots = found[one.place]
        if one.first == one.last:
            slots[one.first] += one.ends - one.begins
            continue
        slots[one.first] += one.number * (one.first + 1) * period.length - one.begins
        for between in range(one.first + 1, one.last):
            slots[between] += one.number * period.length
        # A use until the very end of the period ends in a slot that is none.
        if one.last < period.number:
            slots[one.last] += one.ends - one.number * one.last * period.length
    return dict(found)
