"""The pure step, on a small table: counting, repeating, choosing, passing, and events that come too late."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from mozpool_site.statemachine.machine import Event, Snapshot, Verdict, enter, stale, step
from mozpool_site.statemachine.spec import (
    TIMEOUT,
    UNHEARD,
    Choose,
    Goto,
    Repeat,
    Retry,
    Spec,
    State,
    Stay,
    Work,
)
from tests.unit.statemachine.life import NOON, Life


@dataclass(frozen=True)
class Facts:
    warm: bool = False
    patience: float = 5
    tries: int = 2


KETTLE = Spec(
    name="kettle",
    facts=Facts,
    fallback="cold",
    faults={
        "lost": Repeat(4, Goto("cold", writes=("give_up",)), at_once=1),
        "no_power": Repeat(4, Goto("cold", writes=("give_up",)), after=10, longest=35),
        UNHEARD: Repeat(4, Goto("cold", writes=("give_up",)), at_once=4),
    },
    states=(
        State(name="cold", doc="", on={"please": Goto("fill", writes=("ask",))}),
        State(name="fill", doc="", forgets_failures=True, writes=("fill",), passes_to=Goto("heating")),
        State(
            name="heating",
            doc="",
            timeout="patience",
            on_timeout=Retry(
                "tries", again=Goto("heating"), exhausted=Goto("cold"), every=(2, Goto("kicked"))
            ),
            work=Work("heat"),
            writes=("switch_on",),
            on={"look": Stay(writes=("note",)), "boiled": Choose("warm", {True: Goto("cold")})},
        ),
        State(name="kicked", doc="", timeout=1, on_timeout=Goto("heating", forgets=("heating",))),
    ),
)


def kettle(**facts: object) -> Life:
    return Life(KETTLE, Facts(**facts)).put("cold")  # type: ignore[arg-type]  # facts are named by each test


def test_a_step_passes_through_states_that_are_never_stored_and_gathers_their_writes() -> None:
    life = kettle().happens("please")
    assert life.last is not None
    assert life.last.path == ("fill", "heating")
    assert life.last.writes == ("ask", "fill", "switch_on")
    assert life.last.work == Work("heat")
    assert life.last.deadline == life.now + timedelta(seconds=5)


def test_the_limit_counts_what_is_still_retried() -> None:
    life = kettle(tries=2).happens("please").waits()
    assert (life.state, life.snapshot.counters) == ("heating", {"heating": 1})
    life.waits()
    assert (life.state, life.snapshot.counters) == ("kicked", {"heating": 2})
    life.put("heating").waits(1)
    assert life.snapshot.counters == {"heating": 1}


def test_past_the_limit_it_gives_up_even_where_a_special_turn_is_due() -> None:
    life = kettle(tries=1).happens("please").waits(2)
    assert life.state == "cold"


def test_a_limit_of_none_gives_up_at_once() -> None:
    assert kettle(tries=0).happens("please").waits().state == "cold"


def test_a_way_may_forget_single_counters() -> None:
    assert kettle().happens("please").waits(3).snapshot.counters == {}


def test_a_deadline_that_has_not_come_is_no_timeout() -> None:
    life = kettle().happens("please")
    early = life.now + timedelta(seconds=4.999)
    assert step(KETTLE, life.snapshot, Event(TIMEOUT), life.facts, early).verdict is Verdict.IGNORED


def test_a_state_without_a_deadline_has_no_timeout() -> None:
    decision = step(KETTLE, Snapshot("cold"), Event(TIMEOUT), Facts(), NOON)
    assert decision.verdict is Verdict.IGNORED


def test_work_that_nobody_began_is_begun_again_and_counted_apart_from_failures() -> None:
    life = kettle().happens("please").waits(4, unbegun=True)
    assert (life.state, life.snapshot.counters, life.works) == ("heating", {"repeats": 4}, ["heat"] * 5)
    assert life.waits(unbegun=True).state == "cold"
    assert life.writes[-1] == "give_up"


def test_a_fault_repeats_the_state_after_a_pause_that_grows() -> None:
    life = kettle().happens("please")
    pauses = []
    for _ in range(4):
        life.happens("no_power")
        assert life.last is not None
        assert life.last.not_before is not None
        assert life.last.deadline == life.last.not_before + timedelta(seconds=5)
        pauses.append((life.last.not_before - life.now).total_seconds())
    assert pauses == [10, 20, 35, 35]
    assert life.snapshot.counters == {"repeats": 4}


def test_some_faults_are_made_good_at_once_before_there_are_pauses() -> None:
    repeat = Repeat(1000, Goto("cold"), at_once=2, after=10, longest=300)
    assert [repeat.pause(nth) for nth in (1, 2, 3, 4, 5, 1000)] == [0, 0, 10, 20, 40, 300]


def test_repeats_end_past_their_limit_whatever_fault_comes_last() -> None:
    life = kettle().happens("please", "lost", "lost", "no_power", "no_power")
    assert (life.state, life.snapshot.counters) == ("heating", {"repeats": 4})
    assert life.happens("lost").state == "cold"
    assert life.writes[-1] == "give_up"


def test_a_fault_of_somebody_elses_operation_does_not_move_a_state_without_one() -> None:
    assert kettle().happens("lost").states == []


def test_staying_keeps_deadline_and_counters_and_starts_nothing() -> None:
    life = kettle().happens("please").waits()
    before = life.snapshot
    life.happens("look")
    assert life.last is not None
    assert (life.last.verdict, life.last.writes, life.last.work) == (Verdict.STAYED, ("note",), None)
    assert (life.last.deadline, life.last.counters) == (before.deadline, before.counters)


def test_an_event_that_is_not_listed_changes_nothing() -> None:
    decision = step(KETTLE, Snapshot("cold", 3), Event("whistle"), Facts(), NOON)
    assert (decision.verdict, decision.state, decision.path, decision.writes) == (
        Verdict.IGNORED,
        "cold",
        (),
        (),
    )


def test_a_question_without_an_answer_names_the_state_and_the_fact() -> None:
    with pytest.raises(ValueError, match="kettle: heating has no case for warm"):
        kettle(warm=False).happens("please", "boiled")


def test_an_unknown_stored_name_acts_as_the_fallback() -> None:
    decision = step(KETTLE, Snapshot("steaming"), Event("please"), Facts(), NOON)
    assert decision.path == ("fill", "heating")


def test_force_enters_any_state_and_starts_its_work() -> None:
    decision = enter(KETTLE, Snapshot("cold", counters={"heating": 2}), "heating", Facts(), NOON)
    assert (decision.path, decision.counters, decision.work) == (("heating",), {}, Work("heat"))


def test_the_step_does_not_change_what_it_is_given() -> None:
    counters = {"heating": 1}
    step(KETTLE, Snapshot("heating", 1, NOON, counters), Event(TIMEOUT), Facts(), NOON)
    assert counters == {"heating": 1}


@dataclass(frozen=True)
class Row:
    state_seq: int = 5
    boot_seq: int = 2


@pytest.mark.parametrize(
    ("fence", "refusal"),
    [
        (None, None),
        ({}, None),
        ({"state_seq": 5}, None),
        ({"state_seq": 5, "boot_seq": 2}, None),
        ({"state_seq": 4}, "state_seq is 5, not 4"),
        ({"state_seq": 5, "boot_seq": 1}, "boot_seq is 2, not 1"),
        ({"state_seq": 6}, "state_seq is 5, not 6"),
    ],
)
def test_a_fence_shuts_out_what_belongs_to_another_time(
    fence: dict[str, object] | None, refusal: str | None
) -> None:
    assert stale(fence, Row()) == refusal
