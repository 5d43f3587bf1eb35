"""The vocabulary of a state table: states, what happens in them, and where that leads.

A table is data. `Spec` checks it when it is imported, so a table that could lose a device (a state that
waits without a deadline, a way to a state that does not exist) never starts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from math import isinf

TIMEOUT = "timeout"
# What a passed deadline is where nobody had begun the state's operation.
UNHEARD = "operation_unheard"
# What counts faults of the infrastructure unless a table names another counter.
REPEATS = "repeats"


@dataclass(frozen=True)
class Work:
    """An operation that a state starts when it is entered.

    `poll` makes the operation try again, that many seconds after each miss, for as long as the state
    lasts; without it a miss is an event of its own.
    """

    kind: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    poll: float | None = None


@dataclass(frozen=True)
class Goto:
    """Enter `state`, after `writes`; `forgets` names counters that start anew, `work` replaces the state's own."""

    state: str
    writes: tuple[str, ...] = ()
    forgets: tuple[str, ...] = ()
    work: Work | None = None


@dataclass(frozen=True)
class Stay:
    """Remain as we are: deadline, counters and operation go on."""

    writes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repeat:
    """Enter the same state again: the infrastructure was at fault, not the device.

    The first `at_once` repeats come without a pause, the next one `after` seconds later, each further one after twice
    the pause before it, `longest` at most. They are counted as `counter`, which is no failure of the device; the
    `limit`-th is the last, and then the outcome is `exhausted`.
    """

    limit: int
    exhausted: "Outcome"
    at_once: int = 0
    after: float = 10.0
    longest: float = 300.0
    counter: str = REPEATS

    def pause(self, nth: int) -> float:
        """Return the seconds before the nth repeat, the first being 1."""
        if nth <= self.at_once:
            return 0.0
        doublings = min(nth - self.at_once - 1, 30)
        return min(self.after * 2.0**doublings, self.longest)


@dataclass(frozen=True)
class Retry:
    """Count a failure. The `limit`-th is still retried through `again`; the next one is `exhausted`.

    `limit` is a number or the name of a fact. `counter` is the state's name unless given. With
    `every=(n, outcome)` each n-th failure that is still retried takes that outcome instead of `again`.
    """

    limit: int | str
    again: "Outcome"
    exhausted: "Outcome"
    counter: str = ""
    every: "tuple[int, Outcome] | None" = None


@dataclass(frozen=True)
class Choose:
    """Take the outcome that stands beside the value of a fact; `otherwise` serves every other value."""

    fact: str
    cases: Mapping[object, "Outcome"]
    otherwise: "Outcome | None" = None


Outcome = Goto | Stay | Repeat | Retry | Choose


@dataclass(frozen=True, kw_only=True)
class State:
    """One state: what it means, how long it may last, and what each event does.

    A *passing* state (`passes_to`) is never stored. A state with `work` must have a `timeout`, in seconds
    or the name of the fact that gives them. `forgets_failures` empties all counters on entry.
    """

    name: str
    doc: str
    timeout: float | str | None = None
    on_timeout: Outcome | None = None
    on: Mapping[str, Outcome] = field(default_factory=dict)
    passes_to: Outcome | None = None
    work: Work | None = None
    writes: tuple[str, ...] = ()
    forgets_failures: bool = False
    tags: frozenset[str] = frozenset()

    @property
    def waits(self) -> bool:
        """Whether the state is left by its deadline if by nothing else."""
        return self.timeout is not None

    def outcomes(self) -> Iterator[tuple[str, Outcome]]:
        """Give every (event, outcome) of the state; a passing state's only event is the empty string."""
        if self.passes_to is not None:
            yield "", self.passes_to
        if self.on_timeout is not None:
            yield TIMEOUT, self.on_timeout
        yield from self.on.items()


class InvalidSpecError(ValueError):
    """A state table contradicts itself; the message names the state."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A whole machine.

    `facts` is the dataclass whose fields the table may consult. `faults` says what a fault of the
    infrastructure does in every state that works, unless the state lists the event itself; one of them is
    `UNHEARD`. A stored state name that the table does not know is treated as `fallback`. `at_least` names states
    with the seconds that something else takes which they wait for: a shorter timeout is refused.
    """

    name: str
    states: tuple[State, ...]
    facts: type
    fallback: str
    faults: Mapping[str, Repeat] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    _by_name: dict[str, State] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name.update({state.name: state for state in self.states})
        if len(self._by_name) != len(self.states):
            raise InvalidSpecError(f"{self.name}: two states share a name")
        if self.fallback not in self._by_name:
            raise InvalidSpecError(f"{self.name}: the fallback {self.fallback!r} is no state")
        for state in self.states:
            self._check(state)
        for fault in self.faults.values():
            for leaf in unfold(fault):
                self._check_leaf(f"{self.name}: a fault", leaf, {f.name for f in fields(self.facts)})
        for name, seconds in self.at_least.items():
            self._check_bound(self[name], seconds)

    def __getitem__(self, name: str) -> State:
        """Give the state that a stored name stands for."""
        return self._by_name.get(name) or self._by_name[self.fallback]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def tagged(self, tag: str) -> tuple[str, ...]:
        """Name the states with a tag, in the table's order."""
        return tuple(state.name for state in self.states if tag in state.tags)

    def stored(self) -> tuple[str, ...]:
        """Name the states that a row may rest in, in the table's order."""
        return tuple(state.name for state in self.states if state.passes_to is None)

    def outcome(self, state: State, event: str) -> Outcome | None:
        """Give what an event does in a state; None when the state does not list it."""
        if event == TIMEOUT:
            return state.on_timeout
        if event in state.on:
            return state.on[event]
        return self.faults.get(event) if state.work else None

    def events(self) -> tuple[str, ...]:
        """Name all events of the machine, sorted."""
        listed = chain.from_iterable(state.on for state in self.states)
        return tuple(sorted({*listed, *self.faults, TIMEOUT}))

    def _check(self, state: State) -> None:
        where = f"{self.name}: {state.name}"
        if state.work and not state.waits:
            raise InvalidSpecError(f"{where} starts an operation but has no timeout")
        if state.work and UNHEARD not in self.faults:
            raise InvalidSpecError(
                f"{where} starts an operation, but no fault says what follows when nobody begins it"
            )
        if state.waits != (state.on_timeout is not None):
            raise InvalidSpecError(f"{where} needs both timeout and on_timeout, or neither")
        if state.passes_to is not None and (state.waits or state.work or state.on):
            raise InvalidSpecError(f"{where} is passing: it can't wait, work or listen")
        known = {f.name for f in fields(self.facts)}
        if isinstance(state.timeout, str) and state.timeout not in known:
            raise InvalidSpecError(f"{where}: the timeout {state.timeout!r} is no fact")
        for _, outcome in state.outcomes():
            for leaf in unfold(outcome):
                self._check_leaf(where, leaf, known)
        if state.passes_to is not None:
            self._check_passing(state, ())

    def _check_bound(self, state: State, seconds: float) -> None:
        where = f"{self.name}: {state.name}"
        timeout = state.timeout
        if isinstance(timeout, str):
            defaults = {f.name: f.default for f in fields(self.facts)}
            timeout = float(str(defaults[timeout]))
        if isinf(seconds):
            raise InvalidSpecError(f"{where} waits for something that may never end")
        if timeout is None or timeout < seconds:
            raise InvalidSpecError(
                f"{where} gives up after {timeout} s, but waits for what may take {seconds:g} s"
            )

    def _check_leaf(self, where: str, leaf: Outcome, known: set[str]) -> None:
        if isinstance(leaf, Goto) and leaf.state not in self._by_name:
            raise InvalidSpecError(f"{where} leads to {leaf.state!r}, which is no state")
        if isinstance(leaf, Goto) and leaf.work and not self._by_name[leaf.state].waits:
            raise InvalidSpecError(f"{where} starts an operation in {leaf.state}, which has no timeout")
        if isinstance(leaf, Choose) and leaf.fact not in known:
            raise InvalidSpecError(f"{where} consults {leaf.fact!r}, which is no fact")
        if isinstance(leaf, Retry) and isinstance(leaf.limit, str) and leaf.limit not in known:
            raise InvalidSpecError(f"{where}: the limit {leaf.limit!r} is no fact")

    def _check_passing(self, state: State, seen: tuple[str, ...]) -> None:
        if state.name in seen:
            raise InvalidSpecError(f"{self.name}: {' -> '.join((*seen, state.name))} never comes to rest")
        if state.passes_to is None:
            return
        for leaf in unfold(state.passes_to):
            if isinstance(leaf, (Stay, Repeat)):
                raise InvalidSpecError(f"{self.name}: {state.name} is passing and can't stay")
            if isinstance(leaf, Goto):
                self._check_passing(self._by_name[leaf.state], (*seen, state.name))


def unfold(outcome: Outcome) -> Iterator[Outcome]:
    """Give an outcome and all outcomes inside it."""
    yield outcome
    for inner in _inside(outcome):
        yield from unfold(inner)


def _inside(outcome: Outcome) -> Sequence[Outcome]:
    match outcome:
        case Retry(again=again, exhausted=exhausted, every=every):
            return [again, exhausted, *([every[1]] if every else [])]
        case Repeat(exhausted=exhausted):
            return [exhausted]
        case Choose(cases=cases, otherwise=otherwise):
            return [*cases.values(), *([otherwise] if otherwise else [])]
        case _:
            return []
