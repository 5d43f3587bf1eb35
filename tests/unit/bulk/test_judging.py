"""Whether a device has got where it was sent is decided by its row, its task's number, and what its journal tells."""

import pytest

from lifeguard.bulk.judging import Seen, judge
from lifeguard.bulk.verbs import VERBS
from lifeguard.states import DEVICE
from mozpool_site.access.roles import Role


@pytest.mark.parametrize(
    ("goal", "new_task", "seen", "judged"),
    [
        ("ready", True, Seen("pc_pinging", 5), None),
        ("ready", True, Seen("ready", 5), ("done", "reached ready")),
        ("ready", True, Seen("start_self_test", 5, "complete"), ("done", "reached ready")),
        ("ready", True, Seen("start_self_test", 5, "failed-bad-device", "gave up"), ("failed", "gave up")),
        ("ready", True, Seen("ready", 5, "failed-bad-image"),
         ("failed", "the image failed on other healthy devices too")),
        # The result is that of the task before: a self-test has none of its own.
        ("ready", False, Seen("self_test_running", 5, "failed-bad-device", "gave up"), None),
        ("ready", False, Seen("failed_self_test", 5, "failed-bad-device", "it failed"),
         ("failed", "ended in state failed_self_test instead of ready: it failed")),
        ("ready", True, Seen("pc_pinging", 6), ("failed", "somebody has given the device another task")),
        ("ready", True, Seen("pc_pinging", 6, arrived=True), ("done", "reached ready")),
        ("maintenance_mode", True, Seen("maintenance_mode", 5), ("done", "reached maintenance_mode")),
        ("maintenance_mode", True, Seen("ready", 5, "complete"),
         ("failed", "ended in state ready instead of maintenance_mode")),
        ("ready", True, Seen("locked_out", 5), ("failed", "ended in state locked_out instead of ready")),
    ],
)  # fmt: skip
def test_a_device_is_judged(goal: str, *, new_task: bool, seen: Seen, judged: tuple[str, str] | None) -> None:
    found = judge(goal, 5, seen, new_task=new_task)
    assert (None if found is None else (found.progress, found.message)) == judged


def test_the_table_of_verbs_asks_for_what_devices_know_and_guards_what_is_dangerous() -> None:
    events = set(DEVICE.events())
    for verb in VERBS.values():
        assert verb.event in events | {""}, verb.name
        assert verb.goal in {*DEVICE.stored(), ""}, verb.name
        assert verb.does.endswith("."), verb.name
        assert verb.least >= Role.OPERATOR, verb.name
        assert verb.dangerous or not verb.needs_reason, verb.name
    needing = {name for name, verb in VERBS.items() if verb.needs_reason}
    assert needing == {"power_off", "force_state", "lock_out", "troubleshoot"}
