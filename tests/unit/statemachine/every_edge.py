"""Puts a row right before a declared edge, and says what taking it must lead to. One test for each edge uses it."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

from mozpool_site.statemachine.graph import Edge, Otherwise, edges
from mozpool_site.statemachine.machine import Event, Snapshot, Step, Verdict, enter, step
from mozpool_site.statemachine.spec import REPEATS, Spec
from tests.unit.statemachine.life import NOON


def name_of(edge: Edge) -> str:
    """Read an edge aloud."""
    event = edge.event or "passing"
    condition = f" [{edge.condition}]" if edge.condition else ""
    return f"{edge.state} - {event}{condition} - {edge.target}"


def check_edge(spec: Spec, edge: Edge) -> None:
    """Take the edge with the pure step, and assert all that the table says of it."""
    facts = _facts(spec, edge)
    counters = _counters(spec, edge, facts)
    before = Snapshot(edge.state, 7, NOON, counters)
    if edge.event == "":
        decision = enter(spec, before, edge.state, facts, NOON)
        assert decision.path[:2] == (edge.state, edge.target)
        _check_entry(spec, decision)
        return
    decision = step(spec, before, Event(edge.event), facts, NOON)
    if edge.stays:
        assert decision == Step(Verdict.STAYED, edge.state, NOON, counters, writes=edge.writes)
        return
    assert decision.verdict is Verdict.MOVED
    assert decision.path[0] == edge.target
    asked_for = edge.writes + spec[edge.target].writes
    assert decision.writes[: len(asked_for)] == asked_for
    if edge.event in spec.faults and edge.event not in spec[edge.state].on:
        assert {**decision.counters, REPEATS: 0} == {**counters, REPEATS: 0}
    _check_counters(spec, edge, counters, decision)
    _check_entry(spec, decision)


def _check_counters(spec: Spec, edge: Edge, counters: dict[str, int], decision: Step) -> None:
    if any(spec[name].forgets_failures for name in decision.path):
        assert decision.counters == {}
        return
    for count in edge.counts:
        if count.counter not in edge.forgets:
            raised = 0 if count.taken == "exhausted" else 1
            assert decision.counters.get(count.counter, 0) == counters[count.counter] + raised
    for name in edge.forgets:
        assert name not in decision.counters


def _check_entry(spec: Spec, decision: Step) -> None:
    """Every hop after the first is a declared passing edge, and the end is a state that may be stored."""
    passing = {(e.state, e.target) for e in edges(spec) if e.event == ""}
    assert set(zip(decision.path, decision.path[1:], strict=False)) <= passing
    rest = spec[decision.path[-1]]
    assert decision.state == rest.name
    assert rest.passes_to is None
    if rest.timeout is None:
        assert decision.deadline is None
    else:
        assert decision.deadline is not None
        assert decision.deadline >= NOON
    if isinstance(rest.timeout, (int, float)) and decision.not_before is not None:
        assert decision.deadline == decision.not_before + timedelta(seconds=rest.timeout)
    assert (decision.work is None) or rest.waits


def _facts(spec: Spec, edge: Edge) -> Any:
    """Answer what the edge asks; for `otherwise`, the fact's default where it is not one of the cases."""
    defaults = {field.name: field.default for field in fields(spec.facts)}
    answers = {}
    for fact, value in edge.asks:
        if isinstance(value, Otherwise):
            answers[fact] = defaults[fact] if defaults[fact] not in value.cases else not defaults[fact]
        else:
            answers[fact] = value
    return spec.facts(**answers)


def _counters(spec: Spec, edge: Edge, facts: Any) -> dict[str, int]:
    counters = {"somebody_elses": 1}
    for count in edge.counts:
        limit = getattr(facts, count.limit) if isinstance(count.limit, str) else int(count.limit)
        before = {"again": 0, "every": count.every - 1, "exhausted": limit}[count.taken]
        counters[count.counter] = before
    return counters
