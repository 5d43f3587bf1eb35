"""Reads a state table as a graph, and proves that nothing in it waits, runs or rests where it must not.

Each proof gives its findings as sentences; an empty list is the proof. `diagrams` writes
and draws the same graph.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isinf

from mozpool_site.statemachine.spec import (
    TIMEOUT,
    Choose,
    Goto,
    Outcome,
    Repeat,
    Retry,
    Spec,
    State,
    Stay,
    unfold,
)


@dataclass(frozen=True)
class Otherwise:
    """Stands for every value of a fact but these."""

    cases: frozenset[object]


@dataclass(frozen=True)
class Count:
    """How an edge hangs on a counter: it is taken while retried (`again`), each n-th time (`every`) or `exhausted`."""

    counter: str
    limit: float | str
    taken: str
    every: int = 0

    @property
    def bounds(self) -> bool:
        """Whether taking the edge uses up a finite number of retries."""
        return self.taken != "exhausted" and not (isinstance(self.limit, float) and isinf(self.limit))


@dataclass(frozen=True)
class Edge:
    """One way an event can go, with the counts and the answers to facts (`asks`) that it hangs on.

    The event of a passing state is the empty string. An edge that `stays` moves nothing. `pause` is how many seconds,
    at most, pass on the way.
    """

    state: str
    event: str
    target: str
    condition: str = ""
    writes: tuple[str, ...] = ()
    forgets: tuple[str, ...] = ()
    counts: tuple[Count, ...] = ()
    asks: tuple[tuple[str, object], ...] = ()
    stays: bool = False
    pause: float = 0.0


@dataclass(frozen=True)
class Premises:
    """What a table cannot say of itself, and the proofs must be told.

    `starts` are the states of a new row; `forced` those that only people put a row into. In `rests` a row
    may be for as long as it likes; in those of them that are in `wakes` it must be looked after by a deadline all the
    same. From `dead_ends` only force leads out. `outside` events are somebody's decision,
    so what they make go round is not the machine's doing. `spent` names facts that turn false after so many
    uses, each with the writes that restore it.
    """

    starts: tuple[str, ...]
    rests: frozenset[str]
    dead_ends: frozenset[str]
    forced: frozenset[str] = frozenset()
    wakes: frozenset[str] = frozenset()
    outside: frozenset[str] = frozenset()
    spent: Mapping[str, frozenset[str]] = field(default_factory=dict)


def edges(spec: Spec) -> list[Edge]:
    """Give every edge of a machine, in the table's order; faults of the infrastructure come last in a state."""
    return [edge for state in spec.states for edge in _edges_from(spec, state)]


def findings(spec: Spec, premises: Premises) -> list[str]:
    """Run all proofs; an empty list means that the table keeps its promises."""
    return [
        *waits_for_ever(spec, premises),
        *unreachable(spec, premises),
        *dead_ends(spec, premises),
        *restless(spec),
        *cut_off(spec, premises),
        *unbounded_cycles(spec, premises),
    ]


def waits_for_ever(spec: Spec, premises: Premises) -> list[str]:
    """Find states that wait although they have no deadline, or whose deadline leads nowhere else at last."""
    found = []
    for state in spec.states:
        if state.passes_to is not None:
            continue
        if not state.waits and state.name not in premises.rests - premises.wakes:
            found.append(f"{state.name} waits without a deadline")
        if state.waits and state.name not in premises.rests:
            ends = {leaf.state for leaf in unfold(state.on_timeout or Stay()) if isinstance(leaf, Goto)}
            if not ends - {state.name}:
                found.append(f"the deadline of {state.name} never leads out of it")
    return found


def unreachable(spec: Spec, premises: Premises) -> list[str]:
    """Find states that nothing leads to."""
    begin = [*premises.starts, *premises.forced, spec.fallback]
    reached = _reach(begin, [(edge.state, edge.target) for edge in edges(spec)])
    return [f"nothing leads to {state.name}" for state in spec.states if state.name not in reached]


def dead_ends(spec: Spec, premises: Premises) -> list[str]:
    """Find states that nothing leads out of, unless they are declared so; and declarations that are wrong."""
    leaves = {edge.state for edge in edges(spec) if edge.target != edge.state}
    stuck = {state.name for state in spec.states} - leaves
    return [
        *(f"nothing leads out of {name}" for name in sorted(stuck - premises.dead_ends)),
        *(f"{name} is declared a dead end but is none" for name in sorted(premises.dead_ends - stuck)),
    ]


def restless(spec: Spec) -> list[str]:
    """Find passing states that do not come to rest in a state that is stored."""
    onward = [(e.state, e.target) for e in edges(spec) if spec[e.state].passes_to is not None]
    stored = set(spec.stored())
    return [
        f"{name} passes on without coming to rest"
        for name in (state.name for state in spec.states if state.passes_to is not None)
        if not _reach([name], onward) & stored or name in _reach_after(name, onward)
    ]


def cut_off(spec: Spec, premises: Premises) -> list[str]:
    """Find states from which time alone (deadlines, counted to their end) leads to no state of rest."""
    alone = [(e.state, e.target) for e in edges(spec) if e.event in ("", TIMEOUT)]
    backwards = [(target, state) for state, target in alone]
    safe = _reach(premises.rests, backwards)
    return [f"{name} never comes to rest by itself" for name in spec.stored() if name not in safe]


def unbounded_cycles(spec: Spec, premises: Premises) -> list[str]:
    """Find cycles that the machine could go round for ever.

    A cycle is bounded when one of its edges raises a finite counter that no edge of the cycle's strongly
    connected part sets back. Such edges can be taken a finite number of times only, so they are removed, and
    what remains is judged again, until it has no cycle (bounded) or no such edge (found).
    """
    own = [
        edge
        for edge in edges(spec)
        if not edge.stays and edge.event not in premises.outside and edge.state not in premises.rests
    ]
    return sorted(set(_unbounded(spec, premises, own)))


def _unbounded(spec: Spec, premises: Premises, own: list[Edge]) -> Iterator[str]:
    for part in strongly_connected([(edge.state, edge.target) for edge in own]):
        inner = [edge for edge in own if edge.state in part and edge.target in part]
        if not inner:
            continue
        bounds = {c for edge in inner for c in _raised(edge, premises)}
        bounds -= {c for edge in inner for c in bounds if _restores(spec, premises, edge, c)}
        if not bounds:
            yield f"nothing bounds the way round {', '.join(sorted(part))}"
            continue
        yield from _unbounded(spec, premises, [e for e in inner if not bounds & set(_raised(e, premises))])


def _raised(edge: Edge, premises: Premises) -> Iterator[str]:
    yield from (count.counter for count in edge.counts if count.bounds)
    yield from (f"fact {fact}" for fact, value in edge.asks if fact in premises.spent and value is True)


def _restores(spec: Spec, premises: Premises, edge: Edge, counter: str) -> bool:
    if counter.startswith("fact "):
        restoring = premises.spent[counter.removeprefix("fact ")]
        return bool(restoring & {*edge.writes, *spec[edge.target].writes})
    return sets_back(spec, edge, counter)


def sets_back(spec: Spec, edge: Edge, counter: str) -> bool:
    """Whether a counter starts anew when an edge is taken."""
    return counter in edge.forgets or spec[edge.target].forgets_failures


def _edges_from(spec: Spec, state: State) -> Iterator[Edge]:
    for event, outcome in state.outcomes():
        yield from _follow(state, Edge(state.name, event, state.name), outcome)
    for event, fault in spec.faults.items():
        if state.work and event not in state.on:
            yield from _follow(state, Edge(state.name, event, state.name), fault)


def _follow(state: State, edge: Edge, outcome: Outcome) -> Iterator[Edge]:
    match outcome:
        case Goto():
            yield _with(edge, target=outcome.state, writes=outcome.writes, forgets=outcome.forgets)
        case Stay(writes=writes):
            yield _with(edge, writes=writes, stays=True)
        case Repeat():
            yield from _follow_repeat(state, edge, outcome)
        case Retry():
            yield from _follow_retry(state, edge, outcome)
        case Choose():
            for value, inner in outcome.cases.items():
                asked = (outcome.fact, value)
                yield from _follow(
                    state, _with(edge, when=f"{outcome.fact}={word(value)}", asks=asked), inner
                )
            if outcome.otherwise:
                others = "not " + "/".join(word(value) for value in outcome.cases)
                asked = (outcome.fact, Otherwise(frozenset(outcome.cases)))
                when = f"{outcome.fact} {others}"
                yield from _follow(state, _with(edge, when=when, asks=asked), outcome.otherwise)


def _follow_retry(state: State, edge: Edge, retry: Retry) -> Iterator[Edge]:
    name = retry.counter or state.name
    again = Count(name, retry.limit, "again")
    yield from _follow(state, _with(edge, when=f"{name} up to {retry.limit}", count=again), retry.again)
    if retry.every:
        nth, outcome = retry.every
        every = Count(name, retry.limit, "every", nth)
        yield from _follow(state, _with(edge, when=f"each {nth}th of {name}", count=every), outcome)
    exhausted = Count(name, retry.limit, "exhausted")
    yield from _follow(
        state, _with(edge, when=f"{name} past {retry.limit}", count=exhausted), retry.exhausted
    )


def _follow_repeat(state: State, edge: Edge, repeat: Repeat) -> Iterator[Edge]:
    when = f"{repeat.counter} up to {repeat.limit}"
    count = Count(repeat.counter, repeat.limit, "again")
    yield replace(_with(edge, when=when, count=count), pause=repeat.pause(repeat.limit))
    when = f"{repeat.counter} past {repeat.limit}"
    exhausted = Count(repeat.counter, repeat.limit, "exhausted")
    yield from _follow(state, _with(edge, when=when, count=exhausted), repeat.exhausted)


def _with(
    edge: Edge,
    *,
    target: str = "",
    when: str = "",
    writes: tuple[str, ...] = (),
    forgets: tuple[str, ...] = (),
    count: Count | None = None,
    asks: tuple[str, object] | None = None,
    stays: bool = False,
) -> Edge:
    return replace(
        edge,
        target=target or edge.target,
        condition=", ".join(part for part in (edge.condition, when) if part),
        writes=edge.writes + writes,
        forgets=edge.forgets + forgets,
        counts=edge.counts + ((count,) if count else ()),
        asks=edge.asks + ((asks,) if asks else ()),
        stays=stays or edge.stays,
    )


def word(value: object) -> str:
    """Write a fact's value as the documents do."""
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _reach(begin: Iterable[str], arrows: list[tuple[str, str]]) -> set[str]:
    reached = set(begin)
    frontier = list(reached)
    while frontier:
        here = frontier.pop()
        for source, target in arrows:
            if source == here and target not in reached:
                reached.add(target)
                frontier.append(target)
    return reached


def _reach_after(name: str, arrows: list[tuple[str, str]]) -> set[str]:
    return _reach([target for source, target in arrows if source == name], arrows)


def strongly_connected(arrows: list[tuple[str, str]]) -> list[set[str]]:
    """Give the parts whose states all lead to each other; a table is small enough to do this plainly."""
    names = {name for arrow in arrows for name in arrow}
    after = {name: _reach_after(name, arrows) for name in names}
    parts: list[set[str]] = []
    for name in sorted(names):
        if name in after[name] and not any(name in part for part in parts):
            parts.append({other for other in after[name] if name in after[other]})
    return parts
