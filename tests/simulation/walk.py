"""Walks through everything that a table can do: every reachable combination of state, counts and history, every event.

Limits are shrunk to one or two failures first, so that all counts can be visited; what is bounded by one is bounded
by two hundred. What the row itself cannot know (facts) takes every value at every step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lifeguard.states import DEVICE, DeviceFacts
from mozpool_site.statemachine.graph import Premises
from mozpool_site.statemachine.machine import Event, Snapshot, Step, Verdict, step
from mozpool_site.statemachine.spec import Spec
from requests_app.states import REQUEST, RequestFacts
from tests.simulation.mutants import rewritten, shrunk, with_faults
from tests.unit.statemachine.life import NOON
from tests.unit.statemachine.premises import DEVICE_PREMISES, REQUEST_PREMISES

# Beyond every shrunk limit: a count that gets so far has none.
CLIPPED = 3
HOPELESS_FAILURES = 3
ANSWERS = ("waiting", "complete", "wrong_image", "bad_device", "bad_image", "gone", "away", "under_repair")
IMAGE_EVENTS = frozenset({"image_downloading", "image_extracting", "image_rebooting"})


@dataclass(frozen=True)
class Node:
    """A row as far as it decides: `failures` in a row, and whether the image in play is the self-test."""

    state: str
    counters: tuple[tuple[str, int], ...] = ()
    failures: int = 0
    testing: bool = False


# Gives what may happen in a node: facts, and the event.
Moves = Callable[[Node], Iterator[tuple[Any, Event]]]


@dataclass
class Walk:
    """What was found: every node with its own ways out (nobody asked, no fault), and what was wrong."""

    spec: Spec
    premises: Premises
    own: dict[Node, set[Node]] = field(default_factory=dict)
    steps: int = 0
    wrong: list[str] = field(default_factory=list)

    def explore(self, starts: list[Node], moves: Moves) -> "Walk":
        """Visit all nodes that can be reached."""
        frontier = list(starts)
        decided = self.premises.outside
        while frontier:
            node = frontier.pop()
            if node in self.own:
                continue
            self.own[node] = set()
            for facts, event in moves(node):
                after = self._step(node, facts, event)
                if after is None:
                    continue
                frontier.append(after)
                if event.name not in decided and node.state not in self.premises.rests:
                    self.own[node].add(after)
        return self

    def findings(self) -> list[str]:
        """Give what is wrong; an empty list is the proof."""
        return [*self.wrong, *self._cycles(), *self._cut_off()]

    def _step(self, node: Node, facts: Any, event: Event) -> Node | None:
        self.steps += 1
        deadline = NOON if self.spec[node.state].waits else None
        snapshot = Snapshot(node.state, 1, deadline, dict(node.counters))
        try:
            decision = step(self.spec, snapshot, event, facts, NOON)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what the walk looks for
            self.wrong.append(f"{event.name} in {node.state}: {error!r}")
            return None
        if decision.verdict is not Verdict.MOVED:
            return None
        rest = self.spec[decision.state]
        if decision.state not in self.spec.stored() or (decision.deadline is not None) != rest.waits:
            self.wrong.append(
                f"{event.name} in {node.state} leads to {decision.state}, due {decision.deadline}"
            )
        return _after(node, decision, suspect=getattr(facts, "image_suspect", False))

    def _cycles(self) -> list[str]:
        """Find rings by taking away, again and again, the nodes that lead nowhere any more."""
        leading = {node: len(ways) for node, ways in self.own.items()}
        before: dict[Node, list[Node]] = {}
        for node, ways in self.own.items():
            for way in ways:
                before.setdefault(way, []).append(node)
        ended = [node for node, count in leading.items() if count == 0]
        gone = 0
        while ended:
            gone += 1
            for node in before.get(ended.pop(), ()):
                leading[node] -= 1
                if leading[node] == 0:
                    ended.append(node)
        ring = sorted({node.state for node, count in leading.items() if count > 0})
        return [f"a ring never ends, among {', '.join(ring)}"] if gone < len(self.own) else []

    def _cut_off(self) -> list[str]:
        before: dict[Node, list[Node]] = {}
        for node, ways in self.own.items():
            for way in ways:
                before.setdefault(way, []).append(node)
        frontier = [node for node in self.own if node.state in self.premises.rests]
        safe = set(frontier)
        while frontier:
            for node in before.get(frontier.pop(), ()):
                if node not in safe:
                    safe.add(node)
                    frontier.append(node)
        return sorted({f"{node.state} has no way to rest" for node in self.own if node not in safe})


def _after(node: Node, decision: Step, *, suspect: bool) -> Node:
    failures, testing = node.failures, node.testing
    for write in decision.writes:
        if write == "report_failure":
            failures = min(failures + (0 if suspect else 1), HOPELESS_FAILURES)
        elif write == "report_complete":
            failures = 0
        elif write == "next_is_self_test":
            testing = True
        elif write in ("set_next_image", "forget_next_image", "next_is_maintenance", "adopt_next_image"):
            testing = False
    counters = tuple(sorted((name, min(count, CLIPPED)) for name, count in decision.counters.items()))
    return Node(decision.state, counters, failures, testing)


def walk_device(verification: str, *, self_test: bool, spec: Spec = DEVICE) -> Walk:
    """Walk the device table for one way of verification, on hardware with or without a self-test.

    The first fault of the infrastructure is the last: to count them as well would double all there is to walk.
    """
    small = with_faults(rewritten(spec, shrunk), lambda fault: replace(fault, limit=0))
    events = [Event(name) for name in small.events()] + [Event("timeout", work_waiting=True)]

    def moves(node: Node) -> Iterator[tuple[Any, Event]]:
        for suspect in (False, True):
            for held in (False, True):
                may_help = self_test and node.failures + 1 < HOPELESS_FAILURES
                facts = DeviceFacts(
                    held=held,
                    verification=verification,
                    download_limit=1,
                    install_limit=1,
                    verify_limit=2,
                    power_limit=1,
                    repower_limit=1,
                    self_test_available=self_test,
                    self_test_may_help=may_help,
                    image_suspect=suspect and not node.testing,
                )
                # The self-test's own boot config makes a board tell of no other image.
                yield from (
                    (facts, event) for event in events if not (node.testing and event.name in IMAGE_EVENTS)
                )

    starts = [Node(name) for name in small.stored()]
    return Walk(small, DEVICE_PREMISES).explore(starts, moves)


def walk_request(*, named: bool, spec: Spec = REQUEST) -> Walk:
    """Walk the request table for a named device, or for any."""
    small = rewritten(spec, shrunk)
    events = [Event(name) for name in small.events()]

    def moves(node: Node) -> Iterator[tuple[Any, Event]]:
        for answer in ANSWERS:
            for failed in (False, True):
                facts = RequestFacts(
                    named=named,
                    named_device_failed=failed,
                    device_answer=answer,
                )
                yield from ((facts, event) for event in events)

    return Walk(small, REQUEST_PREMISES).explore([Node(name) for name in small.stored()], moves)
