import re
import xml.etree.ElementTree as ET

import pytest

from pages.charts import Bar, Chart, HeatRow, Series, Slot, areas, bands, bars, columns, heat
from pages.charts.percentiles import Spread
from pages.charts.scale import count_text, counts, duration_text, durations

SVG = "{http://www.w3.org/2000/svg}"
DAYS = [Slot(f"{day} Nov", f"day {day}") for day in range(1, 5)]


def parsed(chart: Chart) -> ET.Element:
    """Read a drawing as a browser would that takes no nonsense."""
    return ET.fromstring(chart.svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))  # noqa: S314 - our own


def boxes(chart: Chart, css: str) -> list[tuple[float, float]]:
    """Give the upper edge and the height of each rectangle of a class."""
    found = parsed(chart).iter(f"{SVG}rect")
    return [
        (float(box.get("y", "")), float(box.get("height", ""))) for box in found if box.get("class") == css
    ]


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [(0, (0, 1)), (3, (0, 1, 2, 3)), (7, (0, 2, 4, 6, 8)), (730, (0, 200, 400, 600, 800))],
)
def test_an_axis_of_counts_has_round_labels_and_reaches_the_highest(
    highest: int, ticks: tuple[int, ...]
) -> None:
    assert counts(highest).ticks == ticks


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (50, ["0 s", "15 s", "30 s", "45 s", "1 min"]),
        (7000, ["0 s", "30 min", "1 h", "1 h 30 min", "2 h"]),
        (90 * 86400, ["0 s", "28 d", "56 d", "84 d", "112 d"]),
    ],
)
def test_an_axis_of_time_goes_in_steps_that_clocks_have(highest: int, labels: list[str]) -> None:
    axis = durations(highest)
    assert [axis.text(tick) for tick in axis.ticks] == labels
    assert axis.top >= highest


def test_times_are_written_by_their_two_largest_units() -> None:
    assert [duration_text(s) for s in (0, 59, 60, 3599, 3600, 7530, 90061)] == [
        "0 s", "59 s", "1 min", "59 min 59 s", "1 h", "2 h 6 min", "1 d 1 h",
    ]  # fmt: skip
    assert [count_text(value) for value in (2, 2.5, 1234.5)] == ["2", "2.5", "1,234"]


def test_a_picture_has_a_title_a_description_and_the_same_numbers_as_a_table() -> None:
    chart = bands(
        "waiting", "Waiting", "requests", DAYS, [Spread(10, 60, 120), None, Spread(2, 30, 90), None]
    )
    drawn = parsed(chart)
    title, description = drawn.find(f"{SVG}title"), drawn.find(f"{SVG}desc")
    assert drawn.get("role") == "img"
    assert drawn.get("aria-labelledby") == "waiting-title waiting-desc"
    assert (title is not None and title.text, title is not None and title.get("id")) == (
        "Waiting",
        "waiting-title",
    )
    assert description is not None
    assert description.text == (
        "From day 1 to day 4. 12 requests; half of them within 30 s at best, 1 min at worst; "
        "nine of ten within 2 min at worst."
    )
    assert chart.rows[:2] == (("day 1", "10", "1 min", "2 min"), ("day 2", "0", "-", "-"))


def test_a_day_without_numbers_is_a_gap_and_no_zero() -> None:
    spread = Spread(1, 60, 120)
    chart = bands("w", "Waiting", "requests", DAYS, [spread, spread, None, spread])
    drawn = parsed(chart)
    lines = [line.get("points", "").split() for line in drawn.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [2]
    assert len(list(drawn.iter(f"{SVG}circle"))) == 3


def test_columns_stand_upon_each_other_and_nothing_is_drawn_for_nothing() -> None:
    series = [Series("served", "good", [2, 0, 4, 0]), Series("failed", "bad", [2, 1, 0, 0])]
    chart = columns("ended", "Ended", DAYS, series)
    good, bad = boxes(chart, "good"), boxes(chart, "bad")
    assert (len(good), len(bad)) == (2, 2)
    # Four is the whole height; the failed two of the first day end where its served two begin.
    assert bad[0][0] + bad[0][1] == pytest.approx(good[0][0], abs=0.2)
    assert good[1][1] == pytest.approx(2 * good[0][1], abs=0.2)
    assert chart.rows[0] == ("day 1", "2", "2")


def test_areas_end_below_the_line_of_what_there_can_be() -> None:
    chart = areas("use", "Use", DAYS, [Series("staging", "fill", [1, 2, 3, 4])], limit=8)
    limit = next(line for line in parsed(chart).iter(f"{SVG}line") if line.get("class") == "chart-limit")
    area = next(iter(parsed(chart).iter(f"{SVG}polygon")))
    heights = [float(point.split(",")[1]) for point in area.get("points", "").split()]
    assert min(heights) > float(limit.get("y1", ""))


def test_the_longest_bar_is_as_long_as_there_is_room_and_the_table_leads_on() -> None:
    rows = [Bar("panda-0001", (4,), "of 8", "/devices/panda-0001/"), Bar("panda-0002", (1,), "of 9")]
    chart = bars("devices", "Devices", rows, [("bad", "failed")], "Device", "of all")
    widths = [float(box.get("width", "")) for box in parsed(chart).iter(f"{SVG}rect")]
    assert widths == [184.0, 46.0]
    assert chart.lines[0] == ("/devices/panda-0001/", "panda-0001", ("4", "of 8"))
    assert not list(parsed(chart).iter(f"{SVG}a"))


def test_a_sheet_of_racks_is_darker_where_more_is_used() -> None:
    chart = heat("racks", "Racks", DAYS, [HeatRow("p1", [0, 0.5, 1, None]), HeatRow("p2", [1.4, 0, 0, 0])])
    shades = re.findall(r"chart-heat-\d+", chart.svg)
    assert shades[:4] == ["chart-heat-0", "chart-heat-5", "chart-heat-10", "chart-heat-10"]
    assert chart.rows[3] == ("day 4", "-", "0 %")


def test_what_somebody_named_a_thing_stays_text() -> None:
    nasty = "<script>alert(1)</script>"
    charts = [
        bars("b", nasty, [Bar(nasty, (1,), nasty)], [("x", nasty)], nasty),
        heat("h", nasty, [Slot(nasty, nasty)], [HeatRow(nasty, [1])]),
        columns("c", nasty, [Slot(nasty, nasty)], [Series(nasty, "x", [1])]),
    ]
    for chart in charts:
        assert "<script" not in chart.svg
        assert "style=" not in chart.svg


def test_a_pool_where_nothing_happened_has_charts_all_the_same() -> None:
    empty = [
        bands("a", "A", "requests", DAYS, [None] * 4),
        columns("b", "B", DAYS, [Series("x", "x", [0] * 4)]),
        areas("c", "C", DAYS, []),
        bars("d", "D", [], [("x", "x")], "Device"),
        heat("e", "E", DAYS, []),
    ]
    assert [chart.description.split(". ")[-1] for chart in empty] == [
        "Nothing was measured.", "Nothing of: x.", "Nothing of: .", "Nothing to show.", "Nothing was measured.",
    ]  # fmt: skip
    assert all(parsed(chart).tag == f"{SVG}svg" for chart in empty)
