"""How long requests took, slot by slot: the middle and the slow end of what a sample of them took. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pages.charts.percentiles import Spread
from pages.statistics.periods import Period

# What is told of each slot, in per cent of its requests: half of them, and nine of ten, took no longer.
_HALF, _MOST = 50, 90


@dataclass(frozen=True)
class Course:
    """When one request was filed, had its device, was ready and ended: seconds after the period began, or None."""

    filed: int
    matched: int | None
    ready: int | None
    ended: int | None


@dataclass(frozen=True)
class Times:
    """Spreads by slot. `step`: they are of every so-manieth request; 1 is of all."""

    waiting: list[Spread | None]
    preparing: list[Spread | None]
    using: list[Spread | None]
    step: int = 1


def times_of(courses: Iterable[Course], period: Period, step: int = 1) -> Times:
    """Sort what requests took into slots: waiting by when they were filed, the rest by when it was over."""
    waiting: list[list[int]] = [[] for _ in range(period.number)]
    preparing: list[list[int]] = [[] for _ in range(period.number)]
    using: list[list[int]] = [[] for _ in range(period.number)]
    for one in courses:
        if one.matched is not None:
            _add(waiting, period, one.filed, one.matched - one.filed)
        # Where a second device was needed after `ready`, the first one's time is not known any more.
        if one.matched is not None and one.ready is not None and one.matched <= one.ready:
            _add(preparing, period, one.ready, one.ready - one.matched)
        if one.ready is not None and one.ended is not None:
            _add(using, period, one.ended, one.ended - one.ready)
    return Times(_spreads(waiting), _spreads(preparing), _spreads(using), step)


def _spreads(slots: Iterable[Sequence[int]]) -> list[Spread | None]:
    return [spread(slot) for slot in slots]


def spread(seconds: Sequence[int]) -> Spread | None:
    """Give the middle and the slow end of some times, as times that really were; None of none."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Spread(len(ordered), _at(ordered, _HALF), _at(ordered, _MOST))


def _at(ordered: Sequence[int], percent: int) -> float:
    """Give the smallest time that so many per cent did not exceed."""
    return float(ordered[-(-len(ordered) * percent // 100) - 1])


def _add(slots: list[list[int]], period: Period, moment: int, took: int) -> None:
    place = moment // period.length
    if 0 <= place < period.number:
        slots[place].append(took)
