"""A device's story as people read it: steps, durations, and repeats folded."""

from datetime import UTC, datetime, timedelta

from pages.device.marks import Mark, read_mark
from pages.device.story import Entry, by_day, folded, steps, with_durations

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def entered(state: str, seconds: float, event: str = "", number: int = 0) -> Entry:
    key = (NOON + timedelta(seconds=seconds), 0, number or int(seconds) + 1)
    return Entry(key, "state", f"entering state {state}", event=event, state=state)


def line(text: str, seconds: float, kind: str = "syslog") -> Entry:
    return Entry((NOON + timedelta(seconds=seconds), 0, int(seconds) + 1), kind, text)


def newest_first(*entries: Entry) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.key, reverse=True)


def test_the_states_of_one_step_are_one_entry_with_what_was_noted_for_it() -> None:
    note = Entry((NOON, 0, 1), "people", "setting next image to b2g", event="please_image")
    (step,) = steps(
        newest_first(
            note,
            entered("start_pxe_boot", 0, "please_image", 2),
            entered("pxe_power_cycling", 0, "please_image", 3),
        )
    )
    assert (step.state, step.passed) == ("pxe_power_cycling", ("start_pxe_boot",))
    assert step.detail == "setting next image to b2g"


def test_lines_of_one_moment_that_no_event_joins_stay_apart() -> None:
    lines = newest_first(line("one", 0), Entry((NOON, 0, 2), "syslog", "two"))
    assert steps(lines) == lines


def test_a_state_lasts_until_the_next_is_entered_and_the_present_one_still_does() -> None:
    told = with_durations(
        newest_first(entered("pxe_booting", 0), line("hello", 5), entered("mobile_init_started", 30)),
        None,
        NOON + timedelta(seconds=40),
    )
    assert [(entry.state, entry.seconds, entry.lasts) for entry in told] == [
        ("mobile_init_started", 10.0, True), ("", None, False), ("pxe_booting", 30.0, False),
    ]  # fmt: skip


def test_on_an_older_part_the_newest_state_lasted_until_the_part_before_it_begins() -> None:
    (only,) = with_durations([entered("ready", 0)], NOON + timedelta(seconds=90), NOON + timedelta(days=1))
    assert (only.seconds, only.lasts) == (90.0, False)


def test_a_round_that_came_many_times_is_told_once_with_its_last_time() -> None:
    rounds = [
        entry
        for number in range(12)
        for entry in (entered("pxe_power_cycling", 200 * number), entered("pxe_booting", 200 * number + 10))
    ]
    told = list(folded(newest_first(*rounds, entered("failed_pxe_booting", 2400))))
    assert [(one.count, len(one.entries)) for one in told] == [(1, 1), (12, 24)]
    assert [entry.state for entry in told[1].latest] == ["pxe_booting", "pxe_power_cycling"]
    assert told[1].seconds == 2210.0


def test_what_came_twice_is_told_twice() -> None:
    twice = newest_first(entered("pc_pinging", 0), entered("pc_pinging", 10))
    assert [one.count for one in folded(twice)] == [1, 1]


def test_repeats_that_differ_in_their_numbers_alone_are_folded() -> None:
    polls = [Entry((NOON + timedelta(seconds=n), 1, n), "operation", f"try {n}") for n in range(3)]
    (only,) = folded(newest_first(*polls))
    assert only.count == 3


def test_lines_of_syslog_that_follow_each_other_are_one_text() -> None:
    (text, state) = folded(
        newest_first(entered("ready", 0), *(line(f"line {'x' * n}", n + 1) for n in range(5)))
    )
    assert (text.is_text, text.count, text.oldest.title) == (True, 5, "line ")
    assert state.first.state == "ready"


def test_the_story_is_told_by_the_day() -> None:
    told = list(folded(newest_first(entered("ready", 0), entered("new", -86_400))))
    assert [day.date.day for day in by_day(told)] == [22, 21]


def test_a_mark_comes_back_from_an_address_as_it_was() -> None:
    for mark in (Mark(NOON, 0, 7), Mark(NOON + timedelta(microseconds=1), 3, 2**63 - 1, NOON)):
        assert read_mark(str(mark), "before") == mark
    assert read_mark("", "before") is read_mark(None, "before") is None
