"""A row for each rack and a cell for each piece of time, the darker the more: a hundred racks on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pages.charts.figure import BOTTOM, LEFT, Chart, Sheet, Slot, drawing, n, told_span
from pages.charts.scale import share_text, shares

_ROW, _GAP = 16, 1
_LETTERS = 7
# Shares are drawn in so many shades, from nothing to all.
_SHADES = 10


@dataclass(frozen=True)
class HeatRow:
    """A share of 0 to 1 for each slot; None where it can't be told."""

    label: str
    shares: Sequence[float | None]


def heat(key: str, title: str, slots: Sequence[Slot], rows: Sequence[HeatRow]) -> Chart:
    """Draw a row of cells for each row."""
    height = max(1, len(rows)) * _ROW + BOTTOM
    sheet = Sheet(len(slots), shares(), height)
    known = [share for row in rows for share in row.shares if share is not None]
    description = f"{told_span(slots)} Nothing was measured."
    if known:
        low, high = share_text(min(known)), share_text(max(known))
        description = f"{told_span(slots)} {len(rows)} rows; from {low} to {high}."
    marks = [_row(sheet, place, row, slots) for place, row in enumerate(rows)]
    return Chart(
        key=key,
        title=title,
        description=description,
        svg=drawing(key, title, description, height, *marks, sheet.calendar(slots)),
        headers=("When", *(row.label for row in rows)),
        rows=tuple(
            (slot.full, *(_text(row.shares[place]) for row in rows)) for place, slot in enumerate(slots)
        ),
        legend=(("chart-heat-2", "little"), ("chart-heat-6", "half"), ("chart-heat-10", "all")),
    )


def _row(sheet: Sheet, place: int, row: HeatRow, slots: Sequence[Slot]) -> SafeString:
    y = place * _ROW
    label = row.label if len(row.label) <= _LETTERS else f"{row.label[: _LETTERS - 1]}…"
    cells = (
        (
            round(min(share, 1) * _SHADES), n(sheet.begin(slot)), y, n(sheet.pitch - _GAP), _ROW - _GAP,
            row.label, slots[slot].full, share_text(share),
        )
        for slot, share in enumerate(row.shares)
        if share is not None
    )  # fmt: skip
    return format_html(
        '<text class="chart-label chart-label-y" x="{}" y="{}">{}</text>{}',
        LEFT - 6,
        y + 12,
        label,
        format_html_join(
            "",
            '<rect class="chart-heat-{}" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}, {}: {}</title></rect>',
            cells,
        ),
    )


def _text(share: float | None) -> str:
    return "-" if share is None else share_text(share)
