"""A table that contradicts itself is refused when it is imported, with the state's name."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mozpool_site.statemachine.spec import (
    TIMEOUT,
    UNHEARD,
    Choose,
    Goto,
    InvalidSpecError,
    Repeat,
    Retry,
    Spec,
    State,
    Stay,
    Work,
)


@dataclass(frozen=True)
class Facts:
    warm: bool = False
    patience: float = 5


HOME = State(name="home", doc="")


def table(*states: State, fallback: str = "home") -> Spec:
    return Spec(name="kettle", facts=Facts, fallback=fallback, states=(HOME, *states))


WAITS = {"timeout": 1, "on_timeout": Goto("home")}
WRONG: dict[str, tuple[Callable[[], Spec], str]] = {
    "two states share a name": (lambda: table(HOME), "kettle: two states share a name"),
    "a fallback that is no state": (
        lambda: table(fallback="away"),
        "kettle: the fallback 'away' is no state",
    ),
    "work without a timeout": (
        lambda: table(State(name="boil", doc="", work=Work("heat"))),
        "kettle: boil starts an operation but has no timeout",
    ),
    "a timeout that does nothing": (
        lambda: table(State(name="boil", doc="", timeout=1)),
        "kettle: boil needs both timeout and on_timeout, or neither",
    ),
    "on_timeout that never comes": (
        lambda: table(State(name="boil", doc="", on_timeout=Goto("home"))),
        "kettle: boil needs both timeout and on_timeout, or neither",
    ),
    "a passing state that waits": (
        lambda: table(State(name="pour", doc="", passes_to=Goto("home"), timeout=1, on_timeout=Goto("home"))),
        "kettle: pour is passing: it can't wait, work or listen",
    ),
    "a passing state that listens": (
        lambda: table(State(name="pour", doc="", passes_to=Goto("home"), on={"stop": Goto("home")})),
        "kettle: pour is passing: it can't wait, work or listen",
    ),
    "a timeout that is no fact": (
        lambda: table(State(name="boil", doc="", timeout="hope", on_timeout=Goto("home"))),
        "kettle: boil: the timeout 'hope' is no fact",
    ),
    "an event to nowhere": (
        lambda: table(State(name="boil", doc="", on={"hot": Goto("moon")})),
        "kettle: boil leads to 'moon', which is no state",
    ),
    "a nested way to nowhere": (
        lambda: table(State(name="boil", doc="", on={"hot": Retry(1, Goto("home"), Goto("moon"))})),
        "kettle: boil leads to 'moon', which is no state",
    ),
    "work begun on the way into a state without a timeout": (
        lambda: table(State(name="boil", doc="", on={"hot": Goto("home", work=Work("heat"))})),
        "kettle: boil starts an operation in home, which has no timeout",
    ),
    "a question that nobody can answer": (
        lambda: table(State(name="boil", doc="", on={"hot": Choose("blue", {True: Stay()})})),
        "kettle: boil consults 'blue', which is no fact",
    ),
    "a limit that is no fact": (
        lambda: table(State(name="boil", doc="", on={"hot": Retry("hope", Stay(), Goto("home"))})),
        "kettle: boil: the limit 'hope' is no fact",
    ),
    "a passing state that stays": (
        lambda: table(State(name="pour", doc="", passes_to=Stay())),
        "kettle: pour is passing and can't stay",
    ),
    "a passing state that repeats": (
        lambda: table(
            State(
                name="pour", doc="", passes_to=Choose("warm", {True: Repeat(1, Goto("home"))}, Goto("home"))
            )
        ),
        "kettle: pour is passing and can't stay",
    ),
    "passing states in a ring": (
        lambda: table(
            State(name="pour", doc="", passes_to=Goto("drip")),
            State(name="drip", doc="", passes_to=Goto("pour")),
        ),
        "kettle: pour -> drip -> pour never comes to rest",
    ),
}


@pytest.mark.parametrize("story", WRONG)
def test_a_table_is_refused_for(story: str) -> None:
    build, message = WRONG[story]
    with pytest.raises(InvalidSpecError) as refusal:
        build()
    assert str(refusal.value) == message


def test_a_stored_name_that_the_table_does_not_know_means_the_fallback() -> None:
    spec = table()
    assert spec["renamed_long_ago"] is HOME
    assert "renamed_long_ago" not in spec


def test_a_fault_concerns_states_that_work_unless_they_say_otherwise() -> None:
    works = State(name="works", doc="", timeout=1, on_timeout=Goto("home"), work=Work("heat"))
    deaf = State(
        name="deaf", doc="", timeout=1, on_timeout=Goto("home"), work=Work("heat"), on={"lost": Stay()}
    )
    states = (HOME, works, deaf)
    lost = Repeat(3, Goto("home"))
    spec = Spec(
        name="kettle", facts=Facts, fallback="home", states=states, faults={"lost": lost, UNHEARD: lost}
    )
    assert [spec.outcome(state, "lost") for state in states] == [None, lost, Stay()]
    assert spec.events() == ("lost", UNHEARD, TIMEOUT)
