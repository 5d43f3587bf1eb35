"""Things stacked upon each other over time: as columns where they are counted, as areas where they last."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pages.charts.figure import HEIGHT, LEFT, RIGHT, WIDTH, Chart, Sheet, Slot, drawing, n, told_span
from pages.charts.scale import count_text, counts

# Between two columns, as a share of a slot.
_GAP = 0.2


@dataclass(frozen=True)
class Series:
    """What is stacked: a value for each slot, drawn in the CSS class."""

    label: str
    css: str
    values: Sequence[float]


def columns(key: str, title: str, slots: Sequence[Slot], series: Sequence[Series]) -> Chart:
    """Draw a column per slot, the first series at its foot."""
    sheet = Sheet(len(slots), counts(max(_totals(series), default=0)))
    marks = (_columns(sheet, one, below) for one, below in zip(series, _below(series), strict=True))
    return _chart(key, title, slots, series, sheet, *marks)


def areas(
    key: str, title: str, slots: Sequence[Slot], series: Sequence[Series], limit: float | None = None
) -> Chart:
    """Draw a band per series, the first one at the foot, and a line at `limit`: more there can't be."""
    sheet = Sheet(len(slots), counts(max((*_totals(series), limit or 0), default=0)))
    marks = [_area(sheet, one, below) for one, below in zip(series, _below(series), strict=True)]
    if limit is not None:
        y = n(sheet.y(limit))
        line = '<line class="chart-limit" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        marks.append(format_html(line, LEFT, WIDTH - RIGHT, y, y))
    return _chart(key, title, slots, series, sheet, *marks)


def _totals(series: Sequence[Series]) -> list[float]:
    return [sum(values) for values in zip(*(one.values for one in series), strict=True)]


def _below(series: Sequence[Series]) -> list[list[float]]:
    """Give for each series what it stands on."""
    if not series:
        return []
    stacks = [
        list(accumulate(values, initial=0.0)) for values in zip(*(one.values for one in series), strict=True)
    ]
    return [[stack[place] for stack in stacks] for place in range(len(series))]


def _columns(sheet: Sheet, series: Series, below: Sequence[float]) -> SafeString:
    width = sheet.pitch * (1 - _GAP)
    return format_html_join(
        "",
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                series.css,
                n(sheet.begin(place) + sheet.pitch * _GAP / 2),
                n(sheet.y(foot + value)),
                n(width),
                n(sheet.y(foot) - sheet.y(foot + value)),
            )
            for place, (value, foot) in enumerate(zip(series.values, below, strict=True))
            if value
        ),
    )


def _area(sheet: Sheet, series: Series, below: Sequence[float]) -> SafeString:
    """Draw the values as steps: each is that of its whole slot."""
    upper, lower = [], []
    for place, (value, foot) in enumerate(zip(series.values, below, strict=True)):
        for x in (sheet.begin(place), sheet.begin(place + 1)):
            upper.append(f"{n(x)},{n(sheet.y(foot + value))}")
            lower.append(f"{n(x)},{n(sheet.y(foot))}")
    return format_html('<polygon class="{}" points="{}"/>', series.css, " ".join((*upper, *reversed(lower))))


def _chart(
    key: str, title: str, slots: Sequence[Slot], series: Sequence[Series], sheet: Sheet, *marks: SafeString
) -> Chart:
    told = [_told(slot, [one.values[place] for one in series], series) for place, slot in enumerate(slots)]
    highest = max(_totals(series), default=0)
    description = f"{told_span(slots)} At most {count_text(highest)} at once of: {_labels(series)}."
    if not highest:
        description = f"{told_span(slots)} Nothing of: {_labels(series)}."
    return Chart(
        key=key,
        title=title,
        description=description,
        svg=drawing(
            key, title, description, HEIGHT, sheet.grid(), *marks, sheet.calendar(slots), sheet.hits(told)
        ),
        headers=("When", *(one.label for one in series)),
        rows=tuple(
            (slot.full, *(count_text(one.values[place]) for one in series))
            for place, slot in enumerate(slots)
        ),
        legend=tuple((one.css, one.label) for one in series),
    )


def _told(slot: Slot, values: Sequence[float], series: Sequence[Series]) -> str:
    parts = (f"{count_text(value)} {one.label}" for value, one in zip(values, series, strict=True))
    return f"{slot.full}: {', '.join(parts)}"


def _labels(series: Sequence[Series]) -> str:
    return ", ".join(one.label for one in series)
