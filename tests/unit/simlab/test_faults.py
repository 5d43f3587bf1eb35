"""When a board fails: by script first, then by seeded chance."""

import random

from simlab.faults import FaultPlan

NOTHING: frozenset[str] = frozenset()


def plan(rates: dict[str, float], *script: str, seed: str = "1:panda-0001") -> FaultPlan:
    return FaultPlan(rates, script, random.Random(seed))


def test_a_script_is_used_up_one_entry_for_each_network_boot() -> None:
    board = plan({}, "ok", "hang_at_boot")
    assert [board.network_boot() for _ in range(3)] == [NOTHING, {"hang_at_boot"}, NOTHING]
    assert board.script == []


def test_a_scripted_boot_pays_no_heed_to_the_probabilities() -> None:
    board = plan({"hang_at_boot": 1.0, "agent_silent": 1.0}, "ok")
    assert board.network_boot() == NOTHING
    assert board.storage_boot(cold=True) == NOTHING
    assert board.network_boot() == {"hang_at_boot"}
    assert board.storage_boot(cold=True) == {"agent_silent"}


def test_a_scripted_fault_of_the_image_lasts_until_the_next_network_boot() -> None:
    board = plan({}, "agent_silent")
    assert board.storage_boot(cold=True) == NOTHING
    board.network_boot()
    assert board.storage_boot(cold=False) == {"agent_silent"}
    assert board.storage_boot(cold=True) == {"agent_silent"}
    board.network_boot()
    assert board.storage_boot(cold=True) == NOTHING


def test_an_image_is_lost_by_chance_in_a_power_cycle_only() -> None:
    board = plan({"lose_image": 1.0})
    assert board.storage_boot(cold=False) == NOTHING
    assert board.storage_boot(cold=True) == {"lose_image"}


def test_the_same_seed_makes_the_same_choices_and_another_seed_others() -> None:
    rates = {"hang_at_boot": 0.5, "install_fails": 0.5}

    def choices(seed: str) -> list[frozenset[str]]:
        board = plan(rates, seed=seed)
        return [board.network_boot() for _ in range(40)]

    assert choices("1:panda-0001") == choices("1:panda-0001")
    assert choices("1:panda-0001") != choices("1:panda-0002")


def test_changing_one_rate_leaves_all_other_choices_as_they_were() -> None:
    def hangs(rates: dict[str, float]) -> list[bool]:
        board = plan(rates)
        return ["hang_at_boot" in board.network_boot() for _ in range(40)]

    assert hangs({"hang_at_boot": 0.5}) == hangs({"hang_at_boot": 0.5, "storage_fails": 0.9})
