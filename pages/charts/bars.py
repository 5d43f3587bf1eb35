"""Bars from left to right, the longest first: which of many things stands out."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pages.charts.figure import WIDTH, Chart, drawing, n
from pages.charts.scale import count_text

_LABEL, _VALUE, _ROW, _BAR = 128, 88, 24, 14
# Letters of a label for which there is room.
_LETTERS = 19


@dataclass(frozen=True)
class Bar:
    """One thing: how much of the legend's parts it has, and a word on that, beside the bar and in the table.

    `href` is where the table leads to; the drawing leads nowhere, for a picture has nothing to press.
    """

    label: str
    parts: tuple[float, ...]
    note: str = ""
    href: str = ""

    @property
    def total(self) -> float:
        """The length of the bar."""
        return sum(self.parts)


def bars(
    key: str, title: str, rows: Sequence[Bar], parts: Sequence[tuple[str, str]], what: str, note: str = ""
) -> Chart:
    """Draw a bar per row. `parts` are CSS class and label of each part of a bar; `what` heads the table's first column.

    `note` heads the last column, where rows have notes.
    """
    longest = max((row.total for row in rows), default=0)
    if rows:
        description = f"{rows[0].label} has most: {count_text(rows[0].total)}. {len(rows)} bars."
    else:
        description = "Nothing to show."
    marks = [_row(place, row, longest, [css for css, _ in parts]) for place, row in enumerate(rows)]
    return Chart(
        key=key,
        title=title,
        description=description,
        svg=drawing(key, title, description, max(1, len(rows)) * _ROW + 4, *marks),
        headers=(what, *(label for _, label in parts), *((note,) if note else ())),
        rows=tuple((row.label, *map(count_text, row.parts), *((row.note,) if note else ())) for row in rows),
        legend=tuple(parts),
        links=tuple(row.href for row in rows),
    )


def _row(place: int, row: Bar, longest: float, styles: Sequence[str]) -> SafeString:
    y = place * _ROW + 2
    unit = (WIDTH - _LABEL - _VALUE) / longest if longest else 0
    edge, pieces = float(_LABEL), []
    for css, value in zip(styles, row.parts, strict=True):
        pieces.append((css, n(edge), y + (_ROW - _BAR) / 2, n(value * unit), _BAR))
        edge += value * unit
    told = f"{count_text(row.total)} {row.note}".strip()
    return format_html(
        '<g><title>{}: {}</title><text class="chart-label chart-label-bar" x="{}" y="{}">{}</text>{}'
        '<text class="chart-label" x="{}" y="{}">{}</text></g>',
        row.label, told, _LABEL - 8, y + 16, _short(row.label),
        format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>', pieces),
        n(edge + 6), y + 16, told,
    )  # fmt: skip


def _short(label: str) -> str:
    """Cut a label in the middle: names of devices differ at their ends."""
    if len(label) <= _LETTERS:
        return label
    half = (_LETTERS - 1) // 2
    return f"{label[:half]}…{label[-half:]}"
