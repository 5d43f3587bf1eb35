"""The proofs hold for both tables, and each proof finds the table that it is there to find."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import pytest

from mozpool_site.statemachine import graph
from mozpool_site.statemachine.graph import Premises
from mozpool_site.statemachine.spec import UNHEARD, Choose, Goto, Repeat, Retry, Spec, State, Work
from tests.unit.statemachine.premises import PREMISES

Proof = Callable[[Spec, Premises], list[str]]


@dataclass(frozen=True)
class Facts:
    warm: bool = False


PREMISE = Premises(
    starts=("home",), rests=frozenset({"home"}), dead_ends=frozenset(), outside=frozenset({"go"})
)
FAULTS = {"lost": Repeat(3, Goto("home")), UNHEARD: Repeat(3, Goto("home"))}


def table(*states: State, home: Goto | None = None) -> Spec:
    first = State(name="home", doc="", on={"go": home or Goto("out")})
    return Spec(name="walk", facts=Facts, fallback="home", states=(first, *states), faults=FAULTS)


def waiting(name: str, on_timeout: Goto | Retry | Choose, **on: Goto | Retry) -> State:
    return State(name=name, doc="", timeout=1, on_timeout=on_timeout, on=on, work=Work("look"))


@pytest.mark.parametrize("machine", PREMISES)
def test_every_promise_of_the_table_is_proved(machine: str) -> None:
    spec, premises = PREMISES[machine]
    assert graph.findings(spec, premises) == []


@pytest.mark.parametrize("machine", PREMISES)
def test_the_premises_name_only_what_there_is(machine: str) -> None:
    spec, premises = PREMISES[machine]
    states = {*premises.starts, *premises.rests, *premises.dead_ends, *premises.forced}
    assert {name for name in states if name not in spec} == set()
    assert premises.outside <= set(spec.events())


def test_a_state_that_waits_without_a_deadline_is_found() -> None:
    spec = table(State(name="out", doc="", on={"back": Goto("home")}))
    assert graph.waits_for_ever(spec, PREMISE) == ["out waits without a deadline"]


def test_a_state_of_rest_that_nobody_looks_after_is_found() -> None:
    premises = replace(PREMISE, wakes=frozenset({"home"}))
    assert graph.waits_for_ever(table(waiting("out", Goto("home"))), premises) == [
        "home waits without a deadline"
    ]


def test_a_deadline_that_only_starts_over_is_found() -> None:
    spec = table(waiting("out", Goto("out"), back=Goto("home")))
    assert graph.waits_for_ever(spec, PREMISE) == ["the deadline of out never leads out of it"]
    assert graph.cut_off(spec, PREMISE) == ["out never comes to rest by itself"]


def test_a_state_that_nothing_leads_to_is_found() -> None:
    spec = table(waiting("out", Goto("home")), waiting("attic", Goto("home")))
    assert graph.unreachable(spec, PREMISE) == ["nothing leads to attic"]


def test_a_state_that_nothing_leads_out_of_is_found() -> None:
    assert graph.dead_ends(table(State(name="out", doc="")), PREMISE) == ["nothing leads out of out"]


def test_a_wrong_declaration_of_a_dead_end_is_found() -> None:
    premises = Premises(starts=("home",), rests=frozenset(), dead_ends=frozenset({"home"}))
    spec = table(waiting("out", Goto("home")))
    assert graph.dead_ends(spec, premises) == ["home is declared a dead end but is none"]


BOUNDED: dict[str, list[State]] = {
    "a counted retry": [waiting("out", Retry(3, Goto("out"), Goto("home")))],
    "two states and one count": [
        waiting("out", Retry(3, Goto("far"), Goto("home"))),
        waiting("far", Goto("out")),
    ],
    "a count inside another that starts it anew": [
        waiting(
            "out",
            Retry(3, Goto("out"), Retry(2, Goto("out", forgets=("out",)), Goto("home"), counter="rounds")),
        )
    ],
    "a fault of the infrastructure": [waiting("out", Goto("home"))],
}
NOTHING = "nothing bounds the way round"
UNBOUNDED: dict[str, tuple[list[State], str]] = {
    "a ring without a count": (
        [waiting("out", Goto("far")), waiting("far", Goto("out"), back=Goto("home"))],
        f"{NOTHING} far, out",
    ),
    "a count without an end": ([waiting("out", Retry(inf, Goto("out"), Goto("home")))], f"{NOTHING} out"),  # type: ignore[arg-type]  # the mistake
    "a count that its own ring sets back": (
        [
            waiting("out", Retry(3, Goto("far"), Goto("home"))),
            waiting("far", Goto("out", forgets=("out",))),
        ],
        f"{NOTHING} far, out",
    ),
    "a ring through a state that forgets all failures": (
        [
            waiting("out", Retry(3, Goto("anew"), Goto("home"))),
            State(name="anew", doc="", forgets_failures=True, passes_to=Goto("out")),
        ],
        f"{NOTHING} anew, out",
    ),
    "an event that leads round beside the counted deadline": (
        [waiting("out", Retry(3, Goto("out"), Goto("home")), bell=Goto("out"))],
        f"{NOTHING} out",
    ),
    "giving up leads back to the start": (
        [waiting("out", Retry(3, Goto("home"), Goto("far"))), waiting("far", Goto("out"))],
        f"{NOTHING} far, out",
    ),
}


@pytest.mark.parametrize("story", BOUNDED)
def test_a_ring_is_bounded_by(story: str) -> None:
    assert graph.unbounded_cycles(table(*BOUNDED[story]), PREMISE) == []


@pytest.mark.parametrize("story", UNBOUNDED)
def test_a_ring_is_unbounded_for(story: str) -> None:
    states, finding = UNBOUNDED[story]
    assert graph.unbounded_cycles(table(*states), PREMISE) == [finding]


def test_a_fact_that_is_used_up_bounds_a_ring_unless_the_ring_restores_it() -> None:
    asks = Choose("warm", {True: Goto("out", writes=("walked",))}, otherwise=Goto("home"))
    spec = table(waiting("out", asks))
    spends = {"warm": frozenset({"rested"})}
    premises = Premises(("home",), frozenset({"home"}), frozenset(), outside=frozenset({"go"}), spent=spends)
    assert graph.unbounded_cycles(spec, premises) == []
    restoring = Premises(
        ("home",),
        frozenset({"home"}),
        frozenset(),
        outside=frozenset({"go"}),
        spent={"warm": frozenset({"walked"})},
    )
    assert graph.unbounded_cycles(spec, restoring) == [f"{NOTHING} out"]
