"""More than a million seeded steps of both machines, matching, operations, pulses and boards, in a storm of faults.

The tables, the step, the fences and the ranking are the real ones; rows, processes, network and hardware are simulated.
A failing seed prints the invariant and the last events of the rows that break it; the same seed fails again.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from lifeguard.states import DEVICE
from mozpool_site.statemachine.graph import edges
from tests.simulation.world import World

SEEDS = range(1, 22)
STEPS = 50_000
LEAST = 1_000_000
# A self-test that hung as the storm ended is waited for an hour.
HEALTHY = timedelta(hours=2)
# A dead board is given up after the worst case of its task, and of the self-tests that follow it.
DEAD = timedelta(hours=6)
NEVER_REPAIRED = ("never_boots", "never_answers", "relay")


def test_the_seeds_make_a_million_steps() -> None:
    assert len(SEEDS) * STEPS >= LEAST


@pytest.mark.parametrize("seed", SEEDS)
def test_the_laws_hold_in_the_storm_and_everything_settles_after_it(
    seed: int, record_property: Callable[[str, object], None]
) -> None:
    world = World(seed)
    world.run(STEPS)
    dead, bound = ((), HEALTHY) if seed % 2 else (NEVER_REPAIRED, DEAD)
    settled = world.settle(dead=dead, bound=bound)
    record_property("simulated_steps", world.store.steps)
    record_property("settled_seconds", settled)
    assert world.store.steps >= STEPS


def test_a_storm_is_a_storm() -> None:
    """Most of what the device table declares really happens, faults included."""
    world = World(seed=77)
    world.run(STEPS)
    # Giving up for faults of the infrastructure takes a day, and a storm is over sooner.
    declared = {
        (edge.state, edge.event, edge.target)
        for edge in edges(DEVICE)
        if edge.event and edge.target != "failed_unreachable"
    }
    taken = declared & world.devices.taken
    assert len(taken) >= 0.6 * len(declared)
    for event in (
        "operation_lost",
        "hardware_unreachable",
        "check_health_failed",
        "failed_self_test",
        "misconfigured",
    ):
        assert any(event == taken_event for _, taken_event, _ in taken), event


def test_the_same_seed_gives_the_same_history() -> None:
    histories = []
    for _ in range(2):
        world = World(seed=5)
        world.run(2_000)
        histories.append(
            [(d.state, d.state_seq, d.boot_seq, d.held_by) for d in world.store.devices.values()]
        )
    assert histories[0] == histories[1]
