"""The pure step: from a row's columns and an event to its new columns. Touches nothing and asks no clock.

The runner stores what `step` decides; the simulator and the proofs call the same function.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from mozpool_site.statemachine.spec import (
    TIMEOUT,
    UNHEARD,
    Choose,
    Goto,
    Outcome,
    Repeat,
    Retry,
    Spec,
    State,
    Stay,
    Work,
)


@dataclass(frozen=True)
class Snapshot:
    """The machine columns of a row."""

    state: str
    seq: int = 0
    deadline: datetime | None = None
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that happened. `work_waiting` tells a timeout that its state's operation was never begun."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    work_waiting: bool = False


class Verdict(Enum):
    """What became of an event."""

    MOVED = "moved"
    STAYED = "stayed"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Step:
    """A decision. `path` names every state entered; its last is the one to store (empty unless moved)."""

    verdict: Verdict
    state: str
    deadline: datetime | None
    counters: Mapping[str, int]
    path: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    work: Work | None = None
    not_before: datetime | None = None


def stale(fence: Mapping[str, object] | None, columns: object) -> str | None:
    """Say why a fence shuts its event out: the first column that moved on; None when the fence holds."""
    for name, expected in (fence or {}).items():
        found = getattr(columns, name)
        if found != expected:
            return f"{name} is {found}, not {expected}"
    return None


def step(spec: Spec, snapshot: Snapshot, event: Event, facts: object, now: datetime) -> Step:
    """Decide what an event does to a row.

    A timeout that comes before the deadline, and an event that the state does not list, are ignored.
    """
    state = spec[snapshot.state]
    outcome = spec.outcome(state, event.name)
    if event.name == TIMEOUT:
        if snapshot.deadline is None or snapshot.deadline > now:
            outcome = None
        elif event.work_waiting and state.work:
            # Nobody began the operation: the infrastructure's fault, which no counter of the device may show.
            outcome = spec.outcome(state, UNHEARD)
    walk = _Walk(spec, facts, dict(snapshot.counters))
    return walk.leave(state, outcome, snapshot, now)


def enter(spec: Spec, snapshot: Snapshot, state: str, facts: object, now: datetime) -> Step:
    """Decide what it means to be put into a state by force, whatever the table says."""
    walk = _Walk(spec, facts, {})
    return walk.leave(spec[snapshot.state], Goto(state), snapshot, now)


class _Walk:
    """Follows outcomes through passing states and gathers what they ask for."""

    def __init__(self, spec: Spec, facts: object, counters: dict[str, int]) -> None:
        self.spec = spec
        self.facts = facts
        self.counters = counters
        self.pause = 0.0
        self.writes: list[str] = []
        self.path: list[str] = []

    def leave(self, state: State, outcome: Outcome | None, snapshot: Snapshot, now: datetime) -> Step:
        """Resolve the outcome of an event in `state` and follow it to a state that can be stored."""
        leaf = self._resolve(state, outcome) if outcome else None
        if leaf is None or isinstance(leaf, Stay):
            verdict = Verdict.IGNORED if leaf is None else Verdict.STAYED
            writes = leaf.writes if leaf else ()
            return Step(verdict, snapshot.state, snapshot.deadline, snapshot.counters, writes=writes)
        goto = leaf
        target = self._enter(goto)
        while target.passes_to is not None:
            passed = self._resolve(target, target.passes_to)
            if not isinstance(passed, Goto):
                raise TypeError(f"{self.spec.name}: {target.name} passes to {passed!r}")
            goto = passed
            target = self._enter(goto)
        begin = now + timedelta(seconds=self.pause)
        return Step(
            Verdict.MOVED,
            target.name,
            self._deadline(target, begin),
            self.counters,
            path=tuple(self.path),
            writes=tuple(self.writes),
            work=goto.work or target.work,
            not_before=begin,
        )

    def _enter(self, goto: Goto) -> State:
        state = self.spec[goto.state]
        self.writes += [*goto.writes, *state.writes]
        self.path.append(state.name)
        for name in tuple(self.counters) if state.forgets_failures else goto.forgets:
            self.counters.pop(name, None)
        return state

    def _resolve(self, state: State, outcome: Outcome) -> Goto | Stay:
        while True:
            match outcome:
                case Choose(fact=fact, cases=cases, otherwise=otherwise):
                    chosen = cases.get(getattr(self.facts, fact), otherwise)
                    if chosen is None:
                        raise ValueError(f"{self.spec.name}: {state.name} has no case for {fact}")
                    outcome = chosen
                case Retry():
                    outcome = self._count(state, outcome)
                case Repeat():
                    outcome = self._repeat(state, outcome)
                case _:
                    return outcome

    def _count(self, state: State, retry: Retry) -> Outcome:
        name = retry.counter or state.name
        limit = getattr(self.facts, retry.limit) if isinstance(retry.limit, str) else retry.limit
        count = self.counters.get(name, 0) + 1
        if count > limit:
            return retry.exhausted
        self.counters[name] = count
        if retry.every and count % retry.every[0] == 0:
            return retry.every[1]
        return retry.again

    def _repeat(self, state: State, repeat: Repeat) -> Outcome:
        count = self.counters.get(repeat.counter, 0) + 1
        if count > repeat.limit:
            return repeat.exhausted
        self.counters[repeat.counter] = count
        self.pause = repeat.pause(count)
        return Goto(state.name)

    def _deadline(self, state: State, begin: datetime) -> datetime | None:
        if state.timeout is None:
            return None
        seconds = getattr(self.facts, state.timeout) if isinstance(state.timeout, str) else state.timeout
        return begin + timedelta(seconds=seconds)
