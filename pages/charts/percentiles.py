"""How long things took: a line through the middle of each day, and a band up to where nine of ten were done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pages.charts.figure import HEIGHT, Chart, Sheet, Slot, drawing, n, told_span
from pages.charts.scale import duration_text, durations


@dataclass(frozen=True)
class Spread:
    """Seconds of `number` things: half took no longer than `half`, nine of ten no longer than `most`."""

    number: int
    half: float
    most: float


def bands(key: str, title: str, what: str, slots: Sequence[Slot], spreads: Sequence[Spread | None]) -> Chart:
    """Draw one spread per slot; None where nothing was measured, and the line has a gap.

    `what` names the things that are counted, such as `requests`.
    """
    known = [spread for spread in spreads if spread is not None]
    sheet = Sheet(len(slots), durations(max((spread.most for spread in known), default=0)))
    description = f"{told_span(slots)} {_summary(known, what)}"
    told = [_told(slot, spread, what) for slot, spread in zip(slots, spreads, strict=True)]
    svg = drawing(
        key, title, description, HEIGHT,
        sheet.grid(), *(_piece(sheet, run, spreads) for run in runs(spreads)), sheet.calendar(slots), sheet.hits(told),
    )  # fmt: skip
    return Chart(
        key=key,
        title=title,
        description=description,
        svg=svg,
        headers=("When", what.capitalize(), "Half within", "Nine of ten within"),
        rows=tuple(_row(slot, spread) for slot, spread in zip(slots, spreads, strict=True)),
        legend=(("chart-half", "half within"), ("chart-most", "nine of ten within")),
    )


def runs(values: Sequence[object]) -> Iterator[range]:
    """Give the stretches without a gap."""
    begin: int | None = None
    for place, value in enumerate((*values, None)):
        if value is not None and begin is None:
            begin = place
        elif value is None and begin is not None:
            yield range(begin, place)
            begin = None


def _piece(sheet: Sheet, run: range, spreads: Sequence[Spread | None]) -> SafeString:
    there = [(sheet.middle(place), spread) for place in run if (spread := spreads[place]) is not None]
    if len(there) == 1:
        x, only = there[0]
        return format_html(
            '<rect class="chart-most" x="{}" y="{}" width="6" height="{}"/>'
            '<circle class="chart-half-dot" cx="{}" cy="{}" r="3"/>',
            n(x - 3), n(sheet.y(only.most)), n(sheet.y(only.half) - sheet.y(only.most)), n(x), n(sheet.y(only.half)),
        )  # fmt: skip
    upper = [f"{n(x)},{n(sheet.y(spread.most))}" for x, spread in there]
    lower = [f"{n(x)},{n(sheet.y(spread.half))}" for x, spread in there]
    return format_html(
        '<polygon class="chart-most" points="{}"/><polyline class="chart-half" points="{}"/>{}',
        " ".join((*upper, *reversed(lower))),
        " ".join(lower),
        format_html_join(
            "",
            '<circle class="chart-half-dot" cx="{}" cy="{}" r="2"/>',
            ((n(x), n(sheet.y(spread.half))) for x, spread in there),
        ),
    )


def _summary(known: Sequence[Spread], what: str) -> str:
    if not known:
        return "Nothing was measured."
    shortest, longest = min(spread.half for spread in known), max(spread.half for spread in known)
    worst = max(spread.most for spread in known)
    return (
        f"{sum(spread.number for spread in known):,} {what}; half of them within {duration_text(shortest)} at best, "
        f"{duration_text(longest)} at worst; nine of ten within {duration_text(worst)} at worst."
    )


def _told(slot: Slot, spread: Spread | None, what: str) -> str:
    if spread is None:
        return f"{slot.full}: none"
    half, most = duration_text(spread.half), duration_text(spread.most)
    return f"{slot.full}: {spread.number:,} {what}, half within {half}, nine of ten within {most}"


def _row(slot: Slot, spread: Spread | None) -> tuple[str, ...]:
    if spread is None:
        return (slot.full, "0", "-", "-")
    return (slot.full, f"{spread.number:,}", duration_text(spread.half), duration_text(spread.most))
