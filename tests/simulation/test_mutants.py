"""Take one safeguard away, and somebody must notice: the proofs, the walk, or the simulation within a few storms.

Each test is named after what is missing. The laws that are broken are part of the expectation.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import cast

import pytest

from lifeguard.bounds import SETTLED, task_seconds
from lifeguard.states import DEVICE, PLEASE_EVENTS, DeviceFacts
from mozpool_site.statemachine import graph
from mozpool_site.statemachine.bounds import Way, worst_case
from mozpool_site.statemachine.machine import stale
from mozpool_site.statemachine.spec import Choose, Goto, InvalidSpecError, Outcome, Retry, Spec
from requests_app.states import REQUEST
from tests.simulation import mutants, operations, request_machine
from tests.simulation.rows import Broken, Device, Request
from tests.simulation.walk import walk_device, walk_request
from tests.simulation.world import World
from tests.unit.statemachine.premises import PREMISES

STORMS = range(1, 9)
STEPS = 30_000
DEVICE_BOUNDS = list(mutants.retries(DEVICE))
REQUEST_BOUNDS = list(mutants.retries(REQUEST))
WAITING = [(spec.name, state.name) for spec in (DEVICE, REQUEST) for state in spec.states if state.waits]


def named(bound: tuple[str, str, int]) -> str:
    return f"{bound[0]}-{bound[1]}-{bound[2]}"


def first_broken(make: Callable[[int], World]) -> str:
    """Run storms until a law is broken; give the law."""
    for seed in STORMS:
        world = make(seed)
        try:
            world.run(STEPS)
        except Broken as broken:
            return str(broken)
    return "nothing was noticed"


# Bounds.


@pytest.mark.parametrize("bound", DEVICE_BOUNDS, ids=named)
def test_a_missing_bound_of_the_device_table_is_found_by_the_proof(bound: tuple[str, str, int]) -> None:
    spec, premises = PREMISES["device"]
    found = graph.unbounded_cycles(mutants.without_bound(spec, *bound), premises)
    assert any("nothing bounds the way round" in finding and bound[0] in finding for finding in found)


@pytest.mark.parametrize("bound", REQUEST_BOUNDS, ids=named)
def test_a_missing_bound_of_the_request_table_is_found_by_the_proof(bound: tuple[str, str, int]) -> None:
    spec, premises = PREMISES["request"]
    found = graph.unbounded_cycles(mutants.without_bound(spec, *bound), premises)
    assert any("nothing bounds the way round" in finding and bound[0] in finding for finding in found)


@pytest.mark.parametrize("bound", REQUEST_BOUNDS, ids=named)
def test_a_missing_bound_of_the_request_table_is_found_by_the_walk(bound: tuple[str, str, int]) -> None:
    spec = mutants.without_bound(REQUEST, *bound)
    found = [finding for both in (True, False) for finding in walk_request(named=both, spec=spec).findings()]
    assert any(finding.startswith("a ring never ends") for finding in found)


def test_a_missing_bound_of_the_device_table_is_found_by_the_walk() -> None:
    spec = mutants.without_bound(DEVICE, "pc_pinging", "timeout", 1)
    found = walk_device("ping", self_test=False, spec=spec).findings()
    assert any(finding.startswith("a ring never ends") for finding in found)


def test_failures_that_are_never_held_against_a_device_are_found() -> None:
    spec, premises = PREMISES["device"]
    assert graph.unbounded_cycles(spec, replace(premises, spent={})) != []


@pytest.mark.parametrize("fault", list(DEVICE.faults))
def test_a_fault_that_is_repeated_without_a_bound_is_found_by_the_proof(fault: str) -> None:
    spec, premises = PREMISES["device"]
    endless = replace(DEVICE.faults[fault], limit=cast("int", inf))
    found = graph.unbounded_cycles(replace(spec, faults={**spec.faults, fault: endless}), premises)
    assert any("nothing bounds the way round" in finding for finding in found)


def test_faults_that_are_no_longer_counted_are_found_by_the_proof() -> None:
    endless = mutants.with_faults(DEVICE, lambda _: Goto("pc_power_cycling"))
    found = graph.unbounded_cycles(endless, PREMISES["device"][1])
    assert any("pc_power_cycling" in finding for finding in found)


@pytest.mark.parametrize("bound", DEVICE_BOUNDS, ids=named)
def test_with_a_missing_bound_of_the_device_table_there_is_no_worst_case(bound: tuple[str, str, int]) -> None:
    spec = mutants.without_bound(DEVICE, *bound)
    tasks = ("start_pxe_boot", "start_power_cycle")
    way = Way(DeviceFacts(), without=frozenset({*PLEASE_EVENTS, *DEVICE.faults}))
    assert inf in [worst_case(spec, task, SETTLED, way) for task in tasks]


@pytest.mark.parametrize("seconds", [60 * 20, task_seconds(DeviceFacts()) - 1])
def test_a_request_that_gives_up_before_its_device_may_have_is_refused(seconds: float) -> None:
    with pytest.raises(InvalidSpecError, match="pending gives up after"):
        mutants.with_state(REQUEST, "pending", timeout=seconds)


# Who is told.


def deaf(outcome: Outcome) -> Outcome:
    """Answer nothing about a device that was taken away."""
    if isinstance(outcome, Choose) and outcome.fact == "device_answer":
        cases = {
            answer: case for answer, case in outcome.cases.items() if answer not in ("away", "under_repair")
        }
        return replace(outcome, cases=cases)
    return outcome


def test_a_request_that_is_not_told_that_its_device_was_taken_away_is_found() -> None:
    law = first_broken(lambda seed: World(seed, request_spec=mutants.rewritten(REQUEST, deaf)))
    assert law.startswith("it holds a device that was taken away")


def test_a_request_that_gives_up_before_its_device_does_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_machine, "patience", lambda *_, **__: 600.0)
    request_machine._facts.cache_clear()
    try:
        law = first_broken(World)
    finally:
        request_machine._facts.cache_clear()
    assert law.startswith("it would leave its device before that one gives up")


# Timeouts.


@pytest.mark.parametrize(("machine", "state"), WAITING, ids="-".join)
def test_a_missing_timeout_is_refused_or_found(machine: str, state: str) -> None:
    spec, premises = PREMISES[machine]
    if spec[state].work:
        with pytest.raises(InvalidSpecError, match=f"{state} starts an operation but has no timeout"):
            mutants.with_state(spec, state, timeout=None, on_timeout=None)
    if state in spec.at_least:
        with pytest.raises(InvalidSpecError, match=f"{state} gives up after None s"):
            mutants.with_state(spec, state, timeout=None, on_timeout=None)
        return
    deaf = mutants.with_state(spec, state, timeout=None, on_timeout=None, work=None)
    assert f"{state} waits without a deadline" in graph.findings(deaf, premises)


# Fences.


def without_fence(seed: int, column: str, patch: pytest.MonkeyPatch) -> World:
    world = World(seed)
    # The fewer bells are late, the longer it takes until one finds the next deadline passed.
    world.workers.bell_late = 0.3

    def refuses(fence: dict[str, object] | None, row: object) -> bool:
        return (
            stale({name: value for name, value in (fence or {}).items() if name != column}, row) is not None
        )

    patch.setattr(world.devices, "refuses", refuses)
    return world


@pytest.mark.parametrize("column", ["state_seq", "boot_seq"])
def test_a_missing_fence_is_found(column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    law = first_broken(lambda seed: without_fence(seed, column, monkeypatch))
    assert f"acted although it is late: {column} is" in law


# Releases.


@pytest.mark.parametrize("state", ["closed", "failed_bad_device", "failed_bad_image"])
def test_an_end_that_keeps_the_device_is_found(state: str) -> None:
    spec = mutants.with_state(REQUEST, state, writes=())
    assert first_broken(lambda seed: World(seed, request_spec=spec)).startswith(("I2", "I4"))


def test_a_second_search_that_keeps_the_first_device_is_found() -> None:
    spec = mutants.rewritten(REQUEST, mutants.without_release)
    law = first_broken(lambda seed: World(seed, request_spec=spec))
    assert law.startswith(("I1", "it looks for a device and holds one"))


# What the operations and claims rely on.


def patched(part: str, method: str, value: object, patch: pytest.MonkeyPatch) -> Callable[[int], World]:
    def make(seed: int) -> World:
        world = World(seed)
        patch.setattr(getattr(world, part), method, lambda *_: value)
        return world

    return make


PATCHES = {
    "work of a state that was left is not called off": (
        "operations",
        "supersede",
        None,
        ("I6", "superseded work"),
    ),
    "a result counts although its operation was called off": ("operations", "is_ours", True, ("operation ",)),
    "a device is touched although somebody touches it": ("operations", "is_busy", False, ("I8",)),
    "a controller is talked to although somebody does": ("workers", "is_leased", False, ("I8",)),
    "work that nobody began counts as a failure": ("operations", "never_begun", False, ("I10",)),
}


@pytest.mark.parametrize("missing", PATCHES)
def test_it_is_found_when(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    part, method, value, laws = PATCHES[missing]
    assert first_broken(patched(part, method, value, monkeypatch)).startswith(laws)


def test_a_lease_that_is_shorter_than_the_work_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LEASES", {})
    assert first_broken(World).startswith("I8")


CLAIMS: dict[str, tuple[Callable[[Device], bool], tuple[str, ...]]] = {
    "nobody holds it": (lambda device: device.state == "ready", ("I1", "I3")),
    "it is ready": (lambda device: device.held_by is None, ("please_",)),
    "anything": (lambda device: device.pk > 0, ("please_", "I1", "I3")),
}


@pytest.mark.parametrize("condition", CLAIMS)
def test_a_claim_that_does_not_ask_whether(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    still_asks, laws = CLAIMS[condition]

    def make(seed: int) -> World:
        world = World(seed)

        def claim(request: Request, device: Device) -> bool:
            if not still_asks(device):
                return False
            world.requests.take(request, device)
            return True

        monkeypatch.setattr(world.requests, "claim", claim)
        return world

    assert first_broken(make).startswith(laws)


def counting_faults(event: str) -> Spec:
    repeat = DEVICE.faults[event]
    counted = Retry(200, again=repeat, exhausted=repeat)
    return replace(DEVICE, faults={**DEVICE.faults, event: counted})  # type: ignore[dict-item]  # the mistake


@pytest.mark.parametrize("event", ["operation_lost", "hardware_unreachable"])
def test_counting_a_fault_of_the_infrastructure_is_found(event: str) -> None:
    spec = counting_faults(event)
    assert first_broken(lambda seed: World(seed, device_spec=spec)).startswith(
        f"I10: {event} raised a counter"
    )


def test_a_broken_law_is_told_with_its_seed_and_the_last_events_of_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    law = first_broken(patched("operations", "supersede", None, monkeypatch))
    first, second, *events = law.splitlines()
    assert "[seed 1, step " in first
    assert second.startswith("device ")
    assert len(events) >= 2
    assert all(" > " in event or "ready" in event or "_" in event for event in events)


def test_an_unharmed_world_is_not_accused() -> None:
    assert first_broken(World) == "nothing was noticed"
