from datetime import UTC, date, datetime, timedelta

import pytest

from pages.charts.percentiles import Spread
from pages.statistics.busy import Uses, seconds_in_use
from pages.statistics.forms import PeriodForm
from pages.statistics.periods import Period, between, last_days
from pages.statistics.times import Course, spread, times_of

NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
DAY, HOUR = 86_400, 3600
THREE_DAYS = Period(datetime(2026, 11, 20, tzinfo=UTC), 3, DAY)


def test_a_week_is_seven_days_that_end_tonight() -> None:
    week = last_days(7, NOW)
    assert (week.since, week.until) == (
        datetime(2026, 11, 16, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert [slot.short for slot in week.slots()] == [f"{day} Nov" for day in range(16, 23)]


def test_a_day_is_the_24_hours_until_the_end_of_this_one() -> None:
    day = last_days(1, NOW)
    assert (day.since, day.until) == (
        datetime(2026, 11, 21, 22, tzinfo=UTC),
        datetime(2026, 11, 22, 22, tzinfo=UTC),
    )
    assert (day.slots()[0].full, day.slots()[-1].short) == ("21 November, 22:00", "21:00")


def test_one_date_is_shown_by_its_hours_and_several_by_their_days() -> None:
    assert between(date(2026, 11, 3), date(2026, 11, 3)) == Period(
        datetime(2026, 11, 3, tzinfo=UTC), 24, HOUR
    )
    assert between(date(2026, 11, 3), date(2026, 11, 5)) == Period(datetime(2026, 11, 3, tzinfo=UTC), 3, DAY)


def test_of_today_only_what_has_passed_counts() -> None:
    today = THREE_DAYS
    assert [today.passed(place, NOW) for place in range(3)] == [DAY, DAY, 21.5 * HOUR]


@pytest.mark.parametrize(
    ("number", "half", "most"), [(1, 1, 1), (2, 1, 2), (9, 5, 9), (10, 5, 9), (11, 6, 10), (100, 50, 90)]
)
def test_half_and_nine_of_ten_are_times_that_really_were(number: int, half: int, most: int) -> None:
    assert spread(range(number, 0, -1)) == Spread(number, half, most)


def test_a_request_counts_where_it_was_filed_ready_and_ended() -> None:
    overnight = Course(filed=DAY - 100, matched=DAY - 40, ready=DAY + 20, ended=2 * DAY + 20)
    waits = Course(filed=DAY, matched=None, ready=None, ended=None)
    before = Course(filed=-500, matched=-400, ready=-300, ended=200)
    second_device = Course(filed=10, matched=300, ready=200, ended=400)
    times = times_of([overnight, waits, before, second_device], THREE_DAYS)
    assert times.waiting == [Spread(2, 60, 290), None, None]
    assert times.preparing == [None, Spread(1, 60, 60), None]
    assert times.using == [Spread(2, 200, 500), None, Spread(1, DAY, DAY)]


def test_seconds_in_use_are_cut_at_midnight() -> None:
    place = (7, "production")
    uses = [
        Uses(place, first=0, last=0, number=2, begins=100 + 200, ends=400 + 600),
        Uses(place, first=0, last=2, number=1, begins=DAY - 50, ends=2 * DAY + 30),
        # Still in use when the period ends: its end lies in no slot.
        Uses((8, "staging"), first=2, last=3, number=1, begins=3 * DAY - 5, ends=3 * DAY),
    ]
    assert seconds_in_use(uses, THREE_DAYS) == {place: [700 + 50, DAY, 30], (8, "staging"): [0, 0, 5]}


def test_uses_added_up_by_the_database_are_those_of_each_alone() -> None:
    """The sums lose nothing: any uses, alone or together, give the same seconds."""
    begins_and_ends = [
        (at * 7919 % (2 * DAY), at * 7919 % (2 * DAY) + at * 3511 % DAY) for at in range(1, 60)
    ]
    alone = [Uses((1, "x"), b // DAY, e // DAY, 1, b, e) for b, e in begins_and_ends]
    together: dict[tuple[int, int], list[int]] = {}
    for one in alone:
        cell = together.setdefault((one.first, one.last), [0, 0, 0])
        for column, value in enumerate((1, one.begins, one.ends)):
            cell[column] += value
    summed = [Uses((1, "x"), first, last, *cell) for (first, last), cell in together.items()]
    whole = seconds_in_use(summed, THREE_DAYS)
    assert whole == seconds_in_use(alone, THREE_DAYS)
    assert sum(whole[1, "x"]) == sum(end - begin for begin, end in begins_and_ends)


@pytest.mark.parametrize(
    ("query", "field", "error"),
    [
        ({"days": "5"}, "days", "1, 7, 30 or 90 days, or from a day to another."),
        ({"days": "x"}, "days", "1, 7, 30 or 90 days, or from a day to another."),
        ({"environment": "nowhere"}, "environment", "There are no devices of this environment."),
        ({"until": "2026-11-01"}, "since", "From which day on?"),
        ({"since": "2026-11-23"}, "since", "This day has not come yet."),
        ({"since": "2026-11-10", "until": "2026-11-09"}, "until", "This day is before the first one."),
        ({"since": "2026-01-01", "until": "2026-04-03"}, "until", "At most 92 days, please."),
        ({"since": "0000-99-99"}, "since", "Enter a valid date."),
    ],
)
def test_a_wrong_period_is_told_beside_its_field(query: dict[str, str], field: str, error: str) -> None:
    form = PeriodForm(query, ["production"], NOW)
    assert form.errors.get(field) == [error]
    assert (form.chosen_days, form.chosen_environment) == (None, "")


def test_the_longest_period_is_allowed_and_ends_today_at_the_latest() -> None:
    since = NOW.date() - timedelta(days=91)
    form = PeriodForm({"since": str(since), "until": "2026-12-24"}, [], NOW)
    assert form.errors == {"until": ["At most 92 days, please."]}
    form = PeriodForm({"since": str(since)}, [], NOW)
    assert (form.errors, form.period.number, form.period.until) == (
        {},
        92,
        datetime(2026, 11, 23, tzinfo=UTC),
    )
