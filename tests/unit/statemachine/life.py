"""Drives a row through a table without a database: events happen, deadlines pass, facts are given."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mozpool_site.statemachine.machine import Event, Snapshot, Step, Verdict, enter, step
from mozpool_site.statemachine.spec import TIMEOUT, Spec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Life:
    """One row. `writes` and `works` gather what every step asked for, `states` where the row rested."""

    spec: Spec
    facts: Any
    now: datetime = NOON
    snapshot: Snapshot = field(default_factory=lambda: Snapshot("new", deadline=NOON))
    states: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    works: list[str] = field(default_factory=list)
    last: Step | None = None

    @property
    def state(self) -> str:
        return self.snapshot.state

    def put(self, state: str, **counters: int) -> "Life":
        """Force the row into a state, with failures already counted, and forget how it came there."""
        self._take(enter(self.spec, self.snapshot, state, self.facts, self.now))
        self.snapshot = replace(self.snapshot, counters=counters)
        self.states, self.writes, self.works = [], [], []
        return self

    def knows(self, **facts: Any) -> "Life":
        """Change facts."""
        self.facts = replace(self.facts, **facts)
        return self

    def happens(self, *events: str, after: float = 1) -> "Life":
        """Let events happen, each some seconds after the last."""
        for event in events:
            self.now += timedelta(seconds=after)
            self._take(step(self.spec, self.snapshot, Event(event), self.facts, self.now))
        return self

    def waits(self, times: int = 1, *, unbegun: bool = False) -> "Life":
        """Let the deadline pass so many times."""
        for _ in range(times):
            assert self.snapshot.deadline is not None, f"{self.state} has no deadline"
            self.now = self.snapshot.deadline
            event = Event(TIMEOUT, work_waiting=unbegun)
            self._take(step(self.spec, self.snapshot, event, self.facts, self.now))
        return self

    def _take(self, decision: Step) -> None:
        self.last = decision
        self.writes += decision.writes
        if decision.verdict is not Verdict.MOVED:
            return
        self.states.append(decision.state)
        self.works += [decision.work.kind] if decision.work else []
        counters = dict(decision.counters)
        self.snapshot = Snapshot(decision.state, self.snapshot.seq + 1, decision.deadline, counters)
