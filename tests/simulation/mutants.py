"""Tables and worlds with one safeguard taken away, to see that its loss does not go unnoticed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from typing import cast

from mozpool_site.statemachine.spec import Choose, Goto, Outcome, Repeat, Retry, Spec, State, unfold

Change = Callable[[Outcome], Outcome]


def rewritten(spec: Spec, change: Change) -> Spec:
    """Give a table in which every outcome, the innermost first, went through a change."""
    states = tuple(
        _rewritten_state(state, lambda _, outcome: _rewrite(outcome, change)) for state in spec.states
    )
    return with_faults(spec, lambda fault: _rewrite(fault, change), states=states)


def with_faults(spec: Spec, change: Callable[[Repeat], object], **changes: object) -> Spec:
    """Give a table in which faults of the infrastructure are declared otherwise."""
    faults = {event: change(fault) for event, fault in spec.faults.items()}
    return replace(spec, faults=faults, **changes)  # type: ignore[arg-type]  # each test names real fields


def with_state(spec: Spec, name: str, **changes: object) -> Spec:
    """Give a table in which one state is declared otherwise."""
    states = tuple(replace(state, **changes) if state.name == name else state for state in spec.states)  # type: ignore[arg-type]  # each test names real fields
    return replace(spec, states=states)


def retries(spec: Spec) -> Iterator[tuple[str, str, int]]:
    """Name every bound of a table by its state, its event and its number among that event's outcomes."""
    for state in spec.states:
        for event, outcome in state.outcomes():
            bounds = [leaf for leaf in unfold(outcome) if isinstance(leaf, Retry)]
            yield from ((state.name, event, number) for number in range(len(bounds)))


def without_bound(spec: Spec, state: str, event: str, number: int) -> Spec:
    """Give a table in which one limit is infinite."""

    def change(found: str, outcome: Outcome) -> Outcome:
        return _unbound(outcome, [number]) if found == event else outcome

    states = tuple(_rewritten_state(s, change) if s.name == state else s for s in spec.states)
    return replace(spec, states=states)


def without_release(outcome: Outcome) -> Outcome:
    """Forget to let go of the device on the way."""
    if isinstance(outcome, Goto):
        return replace(outcome, writes=tuple(write for write in outcome.writes if write != "release"))
    return outcome


def shrunk(outcome: Outcome) -> Outcome:
    """Make bounds so small that all counts can be walked through; infinite ones stay infinite."""
    if not isinstance(outcome, (Retry, Repeat)) or outcome.limit == inf:
        return outcome
    if isinstance(outcome, Repeat):
        return replace(outcome, limit=1)
    if outcome.every:
        return replace(outcome, limit=2, every=(2, outcome.every[1]))
    return replace(outcome, limit=1)


def _rewritten_state(state: State, change: Callable[[str, Outcome], Outcome]) -> State:
    return replace(
        state,
        on={event: change(event, outcome) for event, outcome in state.on.items()},
        on_timeout=change("timeout", state.on_timeout) if state.on_timeout else None,
        passes_to=change("", state.passes_to) if state.passes_to else None,
    )


def _unbound(outcome: Outcome, countdown: list[int]) -> Outcome:
    """Walk in the order of `unfold`; the Retry at which the countdown ends loses its limit."""
    if isinstance(outcome, Retry):
        countdown[0] -= 1
        if countdown[0] == -1:
            outcome = replace(outcome, limit=cast("int", inf))
    return _with_parts(outcome, lambda part: _unbound(part, countdown))


def _rewrite(outcome: Outcome, change: Change) -> Outcome:
    return change(_with_parts(outcome, lambda part: _rewrite(part, change)))


def _with_parts(outcome: Outcome, change: Change) -> Outcome:
    match outcome:
        case Retry(again=again, exhausted=exhausted, every=every):
            again, exhausted = change(again), change(exhausted)
            return replace(
                outcome,
                again=again,
                exhausted=exhausted,
                every=(every[0], change(every[1])) if every else None,
            )
        case Repeat(exhausted=exhausted):
            return replace(outcome, exhausted=change(exhausted))
        case Choose(cases=cases, otherwise=otherwise):
            cases = {value: change(part) for value, part in cases.items()}
            return replace(outcome, cases=cases, otherwise=change(otherwise) if otherwise else None)
        case _:
            return outcome
