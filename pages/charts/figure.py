"""What all charts share: the sheet that they are drawn on, its axes, and the table that says the same in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pages.charts.scale import Axis

# In units of the drawing, about one CSS pixel each: a sheet is shown between 330 and 480 pixels wide.
WIDTH, HEIGHT = 400, 190
LEFT, RIGHT, TOP, BOTTOM = 74, 8, 10, 24
_MOST_LABELS = 6
# A label of the last slot must not reach over the edge.
_LABEL_REACH = 18


@dataclass(frozen=True)
class Slot:
    """A piece of time: `short` stands below the axis, `full` in the table and where the pointer rests."""

    short: str
    full: str


@dataclass(frozen=True)
class Chart:
    """A drawing, and the same in words. `legend` names CSS classes and what is drawn in them.

    `links` has for each row where its first cell leads to, or nothing.
    """

    key: str
    title: str
    description: str
    svg: SafeString
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[tuple[str, str], ...] = ()
    links: tuple[str, ...] = ()

    @property
    def lines(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """The rows of the table: where the first cell leads to, that cell, and the others."""
        links = self.links or ("",) * len(self.rows)
        return [(link, row[0], row[1:]) for link, row in zip(links, self.rows, strict=True)]


@dataclass(frozen=True)
class Sheet:
    """Places for `slots` pieces of time side by side, above an axis from 0 upwards."""

    slots: int
    axis: Axis
    height: int = HEIGHT

    @property
    def pitch(self) -> float:
        """The width of one slot."""
        return (WIDTH - LEFT - RIGHT) / max(1, self.slots)

    @property
    def floor(self) -> float:
        """Where nothing is."""
        return self.height - BOTTOM

    def begin(self, slot: int) -> float:
        """The left edge of a slot."""
        return LEFT + slot * self.pitch

    def middle(self, slot: int) -> float:
        """The middle of a slot."""
        return LEFT + (slot + 0.5) * self.pitch

    def y(self, value: float) -> float:
        """How far down a value is."""
        return self.floor - (self.floor - TOP) * value / self.axis.top

    def grid(self) -> SafeString:
        """Draw the lines of the axis and its labels."""
        return format_html_join(
            "",
            '<line class="chart-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="chart-label chart-label-y" x="{}" y="{}">{}</text>',
            (
                (LEFT, WIDTH - RIGHT, n(self.y(tick)), n(self.y(tick)), LEFT - 6, n(self.y(tick) + 4), text)
                for tick, text in ((tick, self.axis.text(tick)) for tick in self.axis.ticks)
            ),
        )

    def calendar(self, slots: Sequence[Slot]) -> SafeString:
        """Write below the axis as many labels as there is room for, the last one among them."""
        every = -(-len(slots) // _MOST_LABELS)
        last = len(slots) - 1
        return format_html_join(
            "",
            '<text class="chart-label chart-label-x" x="{}" y="{}">{}</text>',
            (
                (n(min(self.middle(place), WIDTH - _LABEL_REACH)), self.height - 7, slot.short)
                for place, slot in enumerate(slots)
                if (last - place) % every == 0
            ),
        )

    def hits(self, told: Iterable[str]) -> SafeString:
        """Lay over each slot what it tells a pointer that rests there."""
        return format_html_join(
            "",
            '<rect class="chart-hit" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
            (
                (n(self.begin(place)), TOP, n(self.pitch), n(self.floor - TOP), text)
                for place, text in enumerate(told)
            ),
        )


def drawing(key: str, title: str, description: str, height: float, *marks: SafeString) -> SafeString:
    """Put marks together; `key` is unique on its page, for a reader of screens finds title and description by it."""
    return format_html(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{k}-title {k}-desc">'
        '<title id="{k}-title">{title}</title><desc id="{k}-desc">{told}</desc>{marks}</svg>',
        w=WIDTH,
        h=n(height),
        k=key,
        title=title,
        told=description,
        marks=format_html_join("", "{}", ((mark,) for mark in marks)),
    )


def n(value: float) -> str:
    """Write a coordinate: a tenth of a pixel is seen by nobody."""
    return f"{value:.1f}".removesuffix(".0")


def told_span(slots: Sequence[Slot]) -> str:
    """Say from when to when a chart is."""
    return f"From {slots[0].full} to {slots[-1].full}." if slots else "No time at all."
