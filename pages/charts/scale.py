"""Axes whose labels people like to read: counts by 1, 2 and 5; times by seconds, minutes, hours and days."""

import math
from collections.abc import Callable
from dataclasses import dataclass

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Steps between two labels of an axis of time; above the last one, whole multiples of it.
_STEPS = (
    1, 2, 5, 10, 15, 30,
    _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY,
)  # fmt: skip
_MOST_TICKS = 4
# Of what is so many, a tenth is nothing.
_MANY = 100


@dataclass(frozen=True)
class Axis:
    """From 0 to `top`, both included in `ticks`; `text` writes any value as the ticks are written."""

    top: float
    ticks: tuple[float, ...]
    text: Callable[[float], str]


def counts(highest: float) -> Axis:
    """Give an axis of whole things that reaches the highest."""
    step = 1
    for magnitude in range(12):
        for factor in (1, 2, 5):
            step = factor * 10**magnitude
            if step * _MOST_TICKS >= highest:
                return _axis(step, highest, count_text)
    return _axis(max(step, math.ceil(highest / _MOST_TICKS)), highest, count_text)


def durations(highest: float) -> Axis:
    """Give an axis of seconds that reaches the highest."""
    week = _STEPS[-1]
    longer = week * math.ceil(highest / _MOST_TICKS / week)
    step = next((step for step in _STEPS if step * _MOST_TICKS >= highest), longer)
    return _axis(step, highest, duration_text)


def shares() -> Axis:
    """Give an axis from nothing to all: values from 0 to 1."""
    return Axis(1.0, (0.0, 0.5, 1.0), share_text)


def count_text(value: float) -> str:
    """Write a count: 1,200; or 2.5 where it is an average."""
    return f"{value:,.0f}" if value >= _MANY or value == round(value) else f"{value:.1f}"


def duration_text(seconds: float) -> str:
    """Write seconds by their two largest units: 2 h 5 min."""
    rest = round(seconds)
    if rest < _MINUTE:
        return f"{rest} s"
    # Nobody wants the seconds of an hour.
    rest = rest if rest < _HOUR else round(rest / _MINUTE) * _MINUTE
    parts = []
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])


def share_text(share: float) -> str:
    """Write a share of 0 to 1 in per cent."""
    return f"{100 * share:.0f} %"


def _axis(step: float, highest: float, text: Callable[[float], str]) -> Axis:
    number = max(1, math.ceil(highest / step))
    return Axis(number * step, tuple(step * tick for tick in range(number + 1)), text)
