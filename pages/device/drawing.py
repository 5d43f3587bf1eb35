"""Draws where a device is in its machine: where it came from, where it is, where it can go. Pure geometry.

Three layers from left to right, as in any drawing of a graph by layers; within a layer the order is the table's. The
template writes the SVG; what is here are boxes, curves and words, in units of about a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pages.device.outlook import Way

# Boxes hold the longest name of the table in 12-pixel type.
BOX_WIDTH, BOX_HEIGHT = 216.0, 34.0
_GUTTER = 72.0
_MARGIN = 12.0
# How far the way back into a state rises over it, about.
_LOOP = 30.0
_LINE = 15.0
_GAP = 14.0
_MOST_PAST = 3
# A way with more reasons says how many more there are.
_MOST_REASONS = 3


@dataclass(frozen=True)
class Box:
    """A state. `role` is past, now, next or asked (people ask for it); `above` is told in lines over it."""

    state: str
    role: str
    x: float
    y: float
    above: tuple[str, ...] = ()
    below: str = ""
    passing: bool = False
    width: float = BOX_WIDTH
    height: float = BOX_HEIGHT

    @property
    def middle(self) -> float:
        """Where arrows come in and go out."""
        return self.y + self.height / 2

    @property
    def centre(self) -> float:
        """Where the name is."""
        return self.x + self.width / 2

    @property
    def lines(self) -> tuple[tuple[float, str], ...]:
        """Each line over it with its height."""
        first = self.y - 6 - _LINE * (len(self.above) - 1)
        return tuple((first + _LINE * number, line) for number, line in enumerate(self.above))

    @property
    def foot(self) -> float:
        """The height of the line under it."""
        return self.y + self.height + _LINE - 2


@dataclass(frozen=True)
class Arrow:
    """A curve as SVG's path data; `role` is that of the box it leads to, or `again` for a way back into the same."""

    path: str
    role: str


@dataclass(frozen=True)
class Drawing:
    """All of it. `told` says the same in words, for who can't see it."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    again: tuple[str, ...]
    told: str

    @property
    def now(self) -> Box:
        """The box of the present state."""
        return next(box for box in self.boxes if box.role == "now")

    @property
    def again_lines(self) -> tuple[tuple[float, str], ...]:
        """Each line over the way back into the present state, with its height."""
        first = self.now.y - _LOOP - _LINE * (len(self.again) - 1)
        return tuple((first + _LINE * number, line) for number, line in enumerate(self.again))

    @property
    def is_end(self) -> bool:
        """Whether nothing leads on but force."""
        return not self.again and not any(box.role in ("next", "asked") for box in self.boxes)


def draw(state: str, came_from: Sequence[str], onward: Sequence[Way]) -> Drawing:
    """Draw a state with those that it came from (the latest last, three at most) and the ways on from it."""
    past = tuple(came_from[-_MOST_PAST:])
    ways = [way for way in onward if way.state != state]
    again = _shortened(next((way.reasons for way in onward if way.state == state), ()), _MOST_REASONS)
    step = BOX_WIDTH + _GUTTER
    begin = _MARGIN + (step if past else 0.0)
    right = _stacked(ways, begin + step)
    needed = max(
        right[-1].foot + _MARGIN if right else 0.0,
        _MARGIN * 2 + BOX_HEIGHT * (2 * len(past) - 1) + 2 * _GAP * max(0, len(past) - 1),
        BOX_HEIGHT + 2 * (_MARGIN + (_LOOP + _LINE * len(again) if again else _LINE)),
    )
    now = Box(state, "now", begin, (needed - BOX_HEIGHT) / 2)
    # Few ways on are drawn around the middle.
    shift = (needed - (right[-1].foot + _MARGIN)) / 2 if right else 0.0
    right = [_moved(box, shift) for box in right]
    left = _columns_of_past(past, now.y)
    arrows = [
        *(_down(upper, lower) for upper, lower in pairwise(left)),
        *([_across(left[-1], now)] if left else []),
        *(_across(now, box) for box in right),
        *([_loop(now)] if again else []),
    ]
    width = (right[0].x if right else now.x) + BOX_WIDTH + _MARGIN
    return Drawing(width, needed, (*left, now, *right), tuple(arrows), again, _in_words(state, past, onward))


def _stacked(ways: Sequence[Way], x: float) -> list[Box]:
    boxes = []
    y = _MARGIN
    for way in ways:
        above = _shortened(way.reasons, _MOST_REASONS)
        below = _onward(way.onward)
        y += _LINE * len(above)
        box = Box(way.state, "asked" if way.asked else "next", x, y, above, below, bool(way.onward))
        boxes.append(box)
        y += BOX_HEIGHT + _GAP + (_LINE if below else 0.0)
    return boxes


def _onward(states: Sequence[str]) -> str:
    if not states:
        return ""
    others = len(states) - 1
    return f"then {states[0]}" + (f" or {others} {'other' if others == 1 else 'others'}" if others else "")


def _columns_of_past(past: Sequence[str], y: float) -> list[Box]:
    """Put the latest beside the present state, those before above it."""
    step = BOX_HEIGHT + _GAP
    first = y - step * (len(past) - 1)
    return [Box(state, "past", _MARGIN, first + step * number) for number, state in enumerate(past)]


def _moved(box: Box, down: float) -> Box:
    return Box(box.state, box.role, box.x, box.y + down, box.above, box.below, box.passing)


def _across(left: Box, right: Box) -> Arrow:
    begin, end = left.x + left.width, right.x - 7
    bend = (begin + end) / 2
    path = f"M{begin:g} {left.middle:g} C{bend:g} {left.middle:g} {bend:g} {right.middle:g} {end:g} {right.middle:g}"
    return Arrow(path, right.role)


def _down(upper: Box, lower: Box) -> Arrow:
    return Arrow(f"M{upper.centre:g} {upper.y + upper.height:g} V{lower.y - 7:g}", lower.role)


def _loop(box: Box) -> Arrow:
    """Lead out of a box on top and back into it."""
    begin, end, top = box.centre - 36, box.centre + 36, box.y - 30
    return Arrow(f"M{begin:g} {box.y:g} C{begin:g} {top:g} {end:g} {top:g} {end:g} {box.y - 7:g}", "again")


def _shortened(lines: Sequence[str], most: int) -> tuple[str, ...]:
    if len(lines) <= most:
        return tuple(lines)
    return (*lines[: most - 1], f"and {len(lines) - most + 1} more")


def _in_words(state: str, past: Sequence[str], onward: Sequence[Way]) -> str:
    parts = [f"It came from {', then '.join(past)}."] if past else []
    parts.append(f"It is in {state}.")
    parts += [
        f"{'Stays in' if way.state == state else 'May go to'} {way.state}: {'; '.join(way.reasons)}."
        for way in onward
    ]
    if not onward:
        parts.append("Only a forced change leads out.")
    return " ".join(parts)
