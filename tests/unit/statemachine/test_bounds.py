"""The worst case of a table: exact where it is known, and never less than what a row can really take."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmm.controller_traits import Traits
from lifeguard.bounds import SETTLED, facts_of, patience, task_seconds
from lifeguard.states import DEVICE, PLEASE_EVENTS, DeviceFacts
from mozpool_site.statemachine.bounds import Way, worst_case
from mozpool_site.statemachine.machine import Event, Snapshot, Verdict, enter, step
from mozpool_site.statemachine.spec import (
    TIMEOUT,
    UNHEARD,
    Choose,
    Goto,
    InvalidSpecError,
    Outcome,
    Repeat,
    Retry,
    Spec,
    State,
    Work,
)
from tests.unit.statemachine.life import NOON


@dataclass(frozen=True)
class Facts:
    warm: bool = False
    patience: float = 7
    tries: int = 2


HOME = State(name="home", doc="")
FAULT = Repeat(3, Goto("home"), after=10, longest=25)


def table(*states: State) -> Spec:
    return Spec(
        name="walk",
        facts=Facts,
        fallback="home",
        states=(HOME, *states),
        faults={"lost": FAULT, UNHEARD: FAULT},
    )


def waits(name: str, seconds: float | str, on_timeout: Outcome, **rest: object) -> State:
    return State(name=name, doc="", timeout=seconds, on_timeout=on_timeout, **rest)  # type: ignore[arg-type]  # named by each story


def bound(spec: Spec, *, known: str = "", without: str = "", facts: Facts = Facts()) -> float:
    way = Way(facts, frozenset(known.split()), frozenset(without.split()))
    return worst_case(spec, "out", ["home"], way)


COUNTED = Retry(2, again=Goto("out"), exhausted=Goto("home"))
EXACT: dict[str, tuple[list[State], float]] = {
    "one stay": ([waits("out", 5, Goto("home"))], 5),
    "a stay that a fact gives": ([waits("out", "patience", Goto("home"))], 7),
    "the longer of two ways": (
        [
            waits("out", 5, Goto("home"), on={"left": Goto("left"), "right": Goto("right")}),
            waits("left", 3, Goto("home")),
            waits("right", 4, Goto("home")),
        ],
        9,
    ),
    "a counted retry": ([waits("out", 5, COUNTED)], 15),
    "a limit that a fact gives": ([waits("out", 5, replace(COUNTED, limit="tries"))], 15),
    "a limit of none": ([waits("out", 5, replace(COUNTED, limit=0))], 5),
    "a round of two states": (
        [waits("out", 5, Goto("far")), waits("far", 6, Retry(2, again=Goto("out"), exhausted=Goto("home")))],
        33,
    ),
    "two counters of one round are both used up": (
        [
            waits("out", 5, Retry(3, again=Goto("out"), exhausted=Goto("home")), on={"on": Goto("far")}),
            waits("far", 6, Retry(2, again=Goto("out"), exhausted=Goto("home"))),
        ],
        3 * 5 + 2 * (5 + 6) + 5 + 6,
    ),
    "a counter that each round of another one starts anew": (
        [
            waits(
                "out",
                5,
                Retry(
                    2,
                    again=Goto("out"),
                    exhausted=Retry(
                        1, counter="rounds", again=Goto("out", forgets=("out",)), exhausted=Goto("home")
                    ),
                ),
            )
        ],
        2 * 3 * 5,
    ),
    "each second failure goes a longer way": (
        [
            waits("out", 5, replace(COUNTED, limit=5, every=(2, Goto("far")))),
            waits("far", 40, Goto("out")),
        ],
        6 * 5 + 2 * 40,
    ),
    "a passing state takes no time": (
        [waits("out", 5, Goto("past")), State(name="past", doc="", passes_to=Goto("home"))],
        5,
    ),
    "faults with their pauses": ([waits("out", 5, Goto("home"), work=Work("look"))], 5 + 3 * (25 + 5)),
}


@pytest.mark.parametrize("story", EXACT)
def test_the_worst_case_is_exact_for(story: str) -> None:
    states, seconds = EXACT[story]
    assert bound(table(*states)) == seconds


def test_faults_may_be_left_out() -> None:
    spec = table(waits("out", 5, Goto("home"), work=Work("look")))
    assert bound(spec, without=f"lost {UNHEARD}") == 5


def test_a_fact_that_is_known_rules_out_the_other_way() -> None:
    slow = waits("slow", 50, Goto("home"))
    spec = table(waits("out", 5, Choose("warm", {True: Goto("home")}, otherwise=Goto("slow"))), slow)
    assert bound(spec) == 55
    assert bound(spec, known="warm", facts=Facts(warm=True)) == 5
    assert bound(spec, known="warm", facts=Facts(warm=False)) == 55


ENDLESS: dict[str, list[State]] = {
    "a ring without a count": [waits("out", 5, Goto("out"), on={"stop": Goto("home")})],
    "a count without an end": [waits("out", 5, replace(COUNTED, limit=inf))],  # type: ignore[arg-type]  # the mistake
    "a rest elsewhere": [waits("out", 5, Goto("inn"), on={"on": Goto("home")}), State(name="inn", doc="")],
    "no way there": [waits("out", 5, Goto("far")), waits("far", 5, Goto("out"))],
}


@pytest.mark.parametrize("story", ENDLESS)
def test_there_is_no_worst_case_for(story: str) -> None:
    assert bound(table(*ENDLESS[story])) == inf


def test_a_table_that_gives_up_before_what_it_waits_for_may_be_over_is_refused() -> None:
    states = (HOME, waits("out", "patience", Goto("home")))
    with pytest.raises(InvalidSpecError, match=r"out gives up after 7\.0 s, but waits for what may take 8 s"):
        Spec(name="walk", facts=Facts, fallback="home", states=states, at_least={"out": 8})
    with pytest.raises(InvalidSpecError, match="walk: out waits for something that may never end"):
        Spec(name="walk", facts=Facts, fallback="home", states=states, at_least={"out": inf})
    assert Spec(name="walk", facts=Facts, fallback="home", states=states, at_least={"out": 7})


# Against what really happens.


@dataclass
class Walk:
    """One row that goes through a table as chance has it, each time as late as it may."""

    spec: Spec
    facts: object
    choose: st.DataObject
    seconds: float = 0.0
    path: list[str] = field(default_factory=list)

    def run(self, start: str, until: frozenset[str], events: list[str]) -> float:
        decision = enter(self.spec, Snapshot(start), start, self.facts, NOON)
        now, snapshot = NOON, Snapshot(decision.state, 0, decision.deadline, decision.counters)
        entered = set(decision.path)
        while not entered & until:
            assert snapshot.deadline is not None
            now = snapshot.deadline
            event = self.choose.draw(st.sampled_from([TIMEOUT, *events]))
            took = step(self.spec, snapshot, Event(event), self.facts, now)
            if took.verdict is not Verdict.MOVED:
                took = step(self.spec, snapshot, Event(TIMEOUT), self.facts, now)
            assert took.verdict is Verdict.MOVED
            snapshot = Snapshot(took.state, 0, took.deadline, took.counters)
            self.path += took.path
            # What follows the first of these states is not waited for.
            entered = set(took.path)
        return (now - NOON) / timedelta(seconds=1)


VERIFICATIONS = ("agent", "tcp", "ping", "none")
QUICK = {
    "download_timeout": st.integers(1, 300),
    "download_limit": st.integers(0, 3),
    "install_timeout": st.integers(1, 300),
    "install_limit": st.integers(0, 3),
    "verify_timeout": st.integers(1, 60),
    "verify_limit": st.integers(0, 12),
    "settle_seconds": st.integers(0, 120),
    "power_limit": st.integers(0, 3),
    "repower_limit": st.integers(0, 3),
    "verification": st.sampled_from(VERIFICATIONS),
}
STARTS = st.sampled_from(["start_pxe_boot", "start_power_cycle"])
OWN_EVENTS = sorted(
    {*DEVICE.events()} - {*PLEASE_EVENTS, *DEVICE.faults, TIMEOUT, "self_test_running", "maint_mode"}
)


@settings(max_examples=150, deadline=None)
@given(
    facts=st.builds(DeviceFacts, **QUICK),
    start=STARTS,
    data=st.data(),
)
def test_no_way_of_a_device_takes_longer_than_its_worst_case(
    facts: DeviceFacts, start: str, data: st.DataObject
) -> None:
    assert Walk(DEVICE, facts, data).run(start, SETTLED, OWN_EVENTS) <= task_seconds(facts)


@settings(max_examples=50, deadline=None)
@given(facts=st.builds(DeviceFacts, **QUICK), data=st.data())
def test_nor_with_faults_of_the_infrastructure(facts: DeviceFacts, data: st.DataObject) -> None:
    events = [*OWN_EVENTS, "operation_lost", "hardware_unreachable"]
    taken = Walk(DEVICE, facts, data).run("start_pxe_boot", SETTLED, events)
    assert taken <= task_seconds(facts, with_faults=True)


def paths(spec: Spec, facts: object, events: list[str]) -> Iterator[float]:
    """Give what every single way from `out` to `home` takes; a table must be small for that."""
    first = enter(spec, Snapshot("out"), "out", facts, NOON)
    frontier = [(Snapshot(first.state, 0, first.deadline, first.counters), NOON)]
    while frontier:
        snapshot, now = frontier.pop()
        if snapshot.state == "home":
            yield (now - NOON) / timedelta(seconds=1)
            continue
        assert snapshot.deadline is not None
        for event in (TIMEOUT, *events):
            took = step(spec, snapshot, Event(event), facts, snapshot.deadline)
            if took.verdict is Verdict.MOVED:
                after = Snapshot(took.state, 0, took.deadline, took.counters)
                frontier.append((after, snapshot.deadline))


OUTCOMES = st.one_of(
    st.sampled_from(["home", "far"]).map(Goto),
    st.builds(
        Retry,
        st.integers(0, 2),
        again=st.sampled_from(["out", "far"]).map(Goto),
        exhausted=st.just(Goto("home")),
        counter=st.sampled_from(["", "both"]),
    ),
)


FAR = st.builds(
    Retry,
    st.integers(0, 2),
    again=st.sampled_from(["out", "far"]).map(Goto),
    exhausted=st.just(Goto("home")),
)


@settings(max_examples=200, deadline=None)
@given(
    seconds=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    out=st.tuples(OUTCOMES, OUTCOMES),
    far=st.tuples(
        st.builds(
            Retry,
            st.integers(0, 2),
            again=st.sampled_from(["out", "far"]).map(Goto),
            exhausted=st.just(Goto("home")),
        ),
        st.just(Goto("home")),
    ),
)
def test_no_single_way_through_a_small_table_takes_longer(
    seconds: tuple[int, int], out: tuple[Outcome, Outcome], far: tuple[Outcome, Outcome]
) -> None:
    spec = table(
        waits("out", seconds[0], out[0], on={"bell": out[1]}),
        waits("far", seconds[1], far[0], on={"bell": far[1]}),
    )
    longest = max(paths(spec, Facts(), ["bell"]))
    assert longest <= bound(spec) < inf


# The product's own numbers.


@pytest.mark.parametrize("verification", VERIFICATIONS)
def test_the_worst_case_of_an_image_by_default_is_about_two_and_a_half_hours(verification: str) -> None:
    assert 1.9 * 3600 < task_seconds(DeviceFacts(verification=verification)) < 2.6 * 3600


def test_a_device_gives_up_power_and_network_boot_within_half_an_hour_each() -> None:
    assert 60 * (DeviceFacts().power_limit + 1) <= 30 * 60
    boots = DEVICE["pxe_booting"].on_timeout
    assert isinstance(boots, Retry)
    assert isinstance(boots.limit, int)
    assert (boots.limit + 1) * (60 + 180) <= 30 * 60


def test_a_person_who_switches_the_power_has_four_hours_for_it() -> None:
    facts = facts_of(None, Traits(by_hand=True))
    assert (facts.power_limit + 1) * 60 == (facts.repower_limit + 1) * 60 == 4 * 3600
    assert patience(facts) > task_seconds(facts) > 4 * 3600
