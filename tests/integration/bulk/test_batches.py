"""A batch asks each of its devices once, tells what became of each, and outlives whoever carries it out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bmm import operations
from bmm.models import Kind, Operation
from bmm.operations import Answer, Outcome
from devices.models import Device, Journal
from lifeguard import reports
from lifeguard.bulk import progress, verbs
from lifeguard.bulk.models import Batch, BatchItem, Progress
from lifeguard.bulk.services import start, stop, unsuccessful
from lifeguard.bulk.verbs import VERBS, Ask, Asked
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.access.models import AuditEntry
from mozpool_site.errors import ConflictError, InvalidInputError, MozpoolError, UnknownNameError
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from tests.beats import pool_beats
from tests.factories import make_controller, make_device, make_devices, make_image
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db
# What is undone here must be undone by the code's own transactions.
really = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", "user", "192.0.2.5")
LONG = 60.0


def plugged(number: int, **columns: Any) -> list[Device]:
    """Make devices with a power outlet each."""
    controller = make_controller()
    return [
        make_device(power_controller=controller, outlet=f"bank1:relay{place + 1}", **columns)
        for place in range(number)
    ]


def begin(verb: str, devices: list[Device], arguments: Mapping[str, Any] | None = None, **more: Any) -> Batch:
    """Start a batch over devices."""
    return start(verb, arguments or {}, [device.name for device in devices], by=ADA, **more)


def items(batch: Batch) -> list[tuple[str, str]]:
    """Give how far each device is, and what is told of it."""
    return list(batch.items.order_by("pk").values_list("progress", "message"))


def far(batch: Batch) -> list[str]:
    """Give how far each device is."""
    return [progress for progress, _ in items(batch)]


def report(operation: Operation, outcome: Outcome) -> None:
    """Carry an operation out, with this outcome."""
    assert operations.claim(operation, clock.now())
    reports.store(operation, outcome)


@pytest.mark.parametrize(
    ("verb", "arguments", "names", "reason", "told"),
    [
        ("dance", {}, ["panda-1"], "", "'dance' is nothing that can be done to devices; there are: please_self_test"),
        ("ping", {"loud": 1}, ["panda-1"], "", "'loud' is not taken here; this takes nothing"),
        ("ping", {}, [], "", "no device is selected"),
        ("ping", {}, [f"n{number}" for number in range(10_001)], "", "10001 devices are selected; at most 10000"),
        ("ping", {}, ["panda-1", "x", "-- y"], "", "there is no device x, -- y"),
        ("power_off", {}, ["panda-1"], "  ", "power off needs a reason"),
        ("ping", {}, ["panda-1"], "x" * 301, "reason: at most 300 characters, got 301"),
        ("please_image", {"image": "b2g"}, ["panda-1"], "", "image b2g needs b2gbase"),
        ("please_image", {"image": "b2g", "boot_config": {"b2gbase": "ftp://x/"}}, ["panda-1"], "", "http or https"),
        ("please_image", {"image": "self-test"}, ["panda-1"], "", "there is no image 'self-test'"),
        ("ping", {}, ["panda-1"], "x\x1by", "reason: no control characters"),
        ("lock_out", {"bug": "4711"}, ["panda-1"], "why", "bug: an address such as https"),
        ("lock_out", {"bug": 4711}, ["panda-1"], "why", "bug: an address expected"),
        ("pxe_boot", {"netboot": "none"}, ["panda-1"], "", "there is no boot config 'none'"),
        ("force_state", {"to": "asleep"}, ["panda-1"], "why", "'asleep' is no state; there are: new"),
        ("comment", {"text": " ", "mode": "append"}, ["panda-1"], "", "what is to be added?"),
        ("environment", {"environment": "any"}, ["panda-1"], "", "not 'any'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_batch_is_told_and_nothing_of_it_is_stored(
    verb: str, arguments: dict[str, Any], names: list[str], reason: str, told: str
) -> None:
    make_device(name="panda-1")
    make_image("b2g", boot_config_keys=["b2gbase"])
    with pytest.raises(MozpoolError, match=told):
        start(verb, arguments, names, by=ADA, reason=reason)
    assert not Batch.objects.exists()
    assert not AuditEntry.objects.exists()


def test_each_device_is_asked_in_the_name_of_who_started_it_and_a_refusal_is_told_in_the_services_words() -> (
    None
):
    willing, locked = make_device(), make_device(state="locked_out")
    batch = begin("please_self_test", [willing, locked], reason="after the power cut")
    assert progress.advance(batch.pk, budget_seconds=LONG) is True
    told = f"{locked.name} is in state locked_out, which does not allow please_self_test"
    assert items(batch) == [("asked", ""), ("refused", told)]
    willing.refresh_from_db()
    assert willing.state == "pc_power_cycling"
    said = Journal.objects.filter(event="bulk").get()
    assert (said.device_id, said.actor) == (willing.pk, "ada")
    assert said.message == "self-test asked for by ada: after the power cut"
    entries = AuditEntry.objects.order_by("pk").values_list("action", "target", "actor", "address")
    assert list(entries) == [
        ("start_bulk", str(batch.pk), "ada", "192.0.2.5"),
        ("please_self_test", willing.name, "ada", "192.0.2.5"),
    ]


def test_a_task_is_done_when_its_device_arrives_also_where_the_next_one_has_begun() -> None:
    arrived, overtaken, failed, taken, busy = devices = make_devices(5)
    batch = begin("please_power_cycle", devices)
    progress.advance(batch.pk, budget_seconds=LONG)
    now = clock.now()
    Device.objects.filter(pk=arrived.pk).update(state="ready", result="complete")
    Device.objects.filter(pk=overtaken.pk).update(task_seq=7)
    Journal.objects.create(time=now, device_id=overtaken.pk, source="machine", to_state="ready", message="x")
    Device.objects.filter(pk=failed.pk).update(
        state="start_self_test", result="failed-bad-device", quarantine_reason="pinging gave up"
    )
    Device.objects.filter(pk=taken.pk).update(task_seq=7)
    assert progress.advance(batch.pk, budget_seconds=0) is True
    assert items(batch) == [
        ("done", "reached ready"),
        ("done", "reached ready"),
        ("failed", "pinging gave up"),
        ("failed", "somebody has given the device another task"),
        ("asked", ""),
    ]
    Device.objects.filter(pk=busy.pk).update(state="locked_out")
    assert progress.advance(batch.pk, budget_seconds=0) is False
    assert items(batch)[-1] == ("failed", "ended in state locked_out instead of ready")
    batch.refresh_from_db()
    assert batch.finished is not None


def test_work_by_hand_is_done_when_its_operation_is_and_fails_with_its_message() -> None:
    devices = [*plugged(2), make_device()]
    batch = begin("power_off", devices, reason="the fuse")
    progress.advance(batch.pk, budget_seconds=LONG)
    first, second = Operation.objects.filter(kind=Kind.POWER_OFF).order_by("pk")
    assert list(batch.items.order_by("pk").values_list("operation", flat=True)) == [first.pk, second.pk, None]
    report(first, Outcome(Answer.OK))
    report(second, Outcome(Answer.FAILED, "relay 2 stays on"))
    assert progress.advance(batch.pk, budget_seconds=0) is False
    refused = f"{devices[2].name} is plugged into no power outlet that we know"
    assert items(batch) == [("done", ""), ("failed", "relay 2 stays on"), ("refused", refused)]
    assert unsuccessful(batch.pk) == [devices[1].name, devices[2].name]


@really
def test_rivals_ask_each_device_once() -> None:
    batch = begin("power_cycle", plugged(24))
    in_threads(4, lambda _: progress.advance(batch.pk, budget_seconds=LONG))
    assert far(batch) == ["asked"] * 24
    assert Operation.objects.count() == 24
    assert AuditEntry.objects.filter(action="power_cycle").count() == 24


@really
def test_whoever_is_killed_in_a_devices_turn_leaves_it_unasked_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (device,) = plugged(1)
    batch = begin("power_cycle", [device])
    ordinary = VERBS["power_cycle"]

    def killed(ask: Ask) -> Asked:
        ordinary.apply(ask)
        raise KeyboardInterrupt

    monkeypatch.setitem(verbs.VERBS, "power_cycle", replace(ordinary, apply=killed))
    with pytest.raises(KeyboardInterrupt):
        progress.advance(batch.pk, budget_seconds=LONG)
    assert (far(batch), Operation.objects.count()) == (["waiting"], 0)
    monkeypatch.undo()
    progress.advance(batch.pk, budget_seconds=LONG)
    assert (far(batch), Operation.objects.count()) == (["asked"], 1)


@really
def test_what_breaks_for_one_device_is_told_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = plugged(2)
    batch = begin("power_cycle", [first, second])
    ordinary = VERBS["power_cycle"]

    def broken(ask: Ask) -> Asked:
        asked = ordinary.apply(ask)
        if ask.device.pk == first.pk:
            raise ZeroDivisionError
        return asked

    monkeypatch.setitem(verbs.VERBS, "power_cycle", replace(ordinary, apply=broken))
    progress.advance(batch.pk, budget_seconds=LONG)
    told = "this went wrong inside Mozpool; the server's log says how"
    assert items(batch) == [("failed", told), ("asked", "")]
    assert list(Operation.objects.values_list("device_id", flat=True)) == [second.pk]


def test_a_stopped_batch_leaves_alone_what_it_has_not_begun() -> None:
    devices = plugged(3)
    batch = begin("power_cycle", devices)
    progress.advance(batch.pk, budget_seconds=0)
    assert far(batch) == ["asked", "waiting", "waiting"]
    assert stop(batch.pk, by=Actor("bob", "user")) == 2
    progress.advance(batch.pk, budget_seconds=LONG)
    assert items(batch) == [("asked", ""), *[("called_off", "called off by bob")] * 2]
    with pytest.raises(ConflictError, match="has been begun with every device"):
        stop(batch.pk, by=ADA)
    report(Operation.objects.get(), Outcome(Answer.OK))
    assert progress.advance(batch.pk, budget_seconds=0) is False
    again = start("power_cycle", {}, unsuccessful(batch.pk), by=ADA, again_of=batch.pk)
    assert list(again.items.values_list("device__name", flat=True)) == [devices[1].name, devices[2].name]
    with pytest.raises(UnknownNameError):
        stop(4711, by=ADA)


@really
def test_a_form_that_is_sent_twice_starts_one_batch_and_somebody_elses_key_is_another() -> None:
    device = make_device()
    first = begin("ping", [device], key="k")
    assert begin("ping", [device], key="k").pk == first.pk
    assert start("ping", {}, [device.name], by=Actor("bob", "user"), key="k").pk != first.pk


@really  # pruning alters tables, which ends transactions on MySQL
def test_the_pulse_carries_out_what_nobody_watches_and_ends_it() -> None:
    batch = begin("comment", make_devices(3, comments="old"), {"text": "new\r\nline", "mode": "append"})
    pool_beats().beat(clock.now())
    batch.refresh_from_db()
    assert batch.finished is not None
    assert far(batch) == ["done"] * 3
    assert set(Device.objects.values_list("comments", flat=True)) == {"old\nnew\nline"}


def test_a_forced_change_leaves_alone_what_is_no_longer_as_it_was_seen() -> None:
    seen, unseen, moved = make_device(), make_device(state="failed_pinging"), make_device()
    arguments = {"to": "troubleshooting", "from": ["ready"]}
    batch = begin("force_state", [seen, unseen, moved], arguments, reason="bug 4711")
    Device.objects.filter(pk=moved.pk).update(state="pc_pinging")
    progress.advance(batch.pk, budget_seconds=LONG)
    assert items(batch) == [
        ("done", "forced from ready to troubleshooting"),
        ("refused", f"{unseen.name} is in state failed_pinging now, which nobody has seen: look again"),
        ("refused", f"{moved.name} is in state pc_pinging, not ready"),
    ]
    assert Journal.objects.filter(event="forced", message__endswith="by ada: bug 4711").count() == 1


def test_devices_leave_the_pool_from_any_state_and_return_by_way_of_a_test() -> None:
    device = make_device(state="pc_pinging")
    for verb, state in (
        ("lock_out", "locked_out"),
        ("troubleshoot", "troubleshooting"),
        ("lock_out", "locked_out"),
    ):
        batch = begin(verb, [device], reason="bug 4711")
        assert progress.advance(batch.pk, budget_seconds=LONG) is False
        device.refresh_from_db()
        assert (device.state, far(batch)) == (state, ["done"])
    twice = begin("lock_out", [device], reason="again")
    progress.advance(twice.pk, budget_seconds=LONG)
    assert items(twice) == [("refused", f"{device.name} is locked_out already")]
    back = begin("return_to_pool", [device])
    assert progress.advance(back.pk, budget_seconds=LONG) is True
    device.refresh_from_db()
    assert (device.state, far(back)) == ("new", ["asked"])


def test_who_locks_devices_out_puts_them_into_quarantine_also_those_that_have_failed() -> None:
    ready, failed = make_device(), make_device(state="failed_pinging", deadline=None)
    Device.objects.filter(pk=failed.pk).update(quarantine_reason="pc_pinging gave up after timeout")
    bug = "https://bugs.example.com/4711"
    progress.advance(begin("lock_out", [ready, failed], {"bug": bug}, reason="fan").pk, budget_seconds=LONG)
    for device in (ready, failed):
        device.refresh_from_db()
        assert (device.state, device.health, device.quarantine_since) == (
            "locked_out",
            "bad",
            device.state_since,
        )
        assert (device.quarantine_reason, device.quarantine_bug, device.quarantine_by) == ("fan", bug, "ada")
    entry = AuditEntry.objects.get(action="quarantine", target=failed.name)
    before = {"state": "failed_pinging", "reason": "pc_pinging gave up after timeout", "bug": ""}
    assert (entry.before, entry.after) == (before, {"state": "locked_out", "reason": "fan", "bug": bug})
    progress.advance(begin("lock_out", [failed], reason="again").pk, budget_seconds=LONG)
    failed.refresh_from_db()
    assert failed.quarantine_reason == "fan"
    progress.advance(begin("return_to_pool", [failed]).pk, budget_seconds=LONG)
    Device.objects.filter(pk=failed.pk).update(state="self_test_running")
    device_runner.deliver(failed.pk, Event("failed_self_test"))
    failed.refresh_from_db()
    assert (failed.quarantine_reason, failed.quarantine_by) == ("fan", "ada")
    Device.objects.filter(pk=failed.pk).update(state="self_test_running")
    device_runner.deliver(failed.pk, Event("self_test_ok"))
    failed.refresh_from_db()
    assert (failed.state, failed.quarantine_reason, failed.quarantine_by) == ("ready", "", "")


ARGUMENTS: dict[str, dict[str, Any]] = {
    "please_image": {"image": "b2g", "boot_config": {"b2gbase": "http://localhost/"}},
    "pxe_boot": {"netboot": "panda-b2g", "boot_config": {"any": "thing"}},
    "force_state": {"to": "locked_out"},
    "comment": {"text": "", "mode": "replace"},
    "environment": {"environment": "staging"},
}


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_of_the_table_is_carried_out(name: str) -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    (device,) = plugged(1, state="troubleshooting" if name == "return_to_pool" else "ready", comments="old")
    batch = begin(name, [device], ARGUMENTS.get(name), reason="why not")
    progress.advance(batch.pk, budget_seconds=LONG)
    item = batch.items.get()
    takes_time = bool(VERBS[name].goal) or name in ("power_cycle", "pxe_boot", "power_off", "ping")
    assert item.progress == (Progress.ASKED if takes_time else Progress.DONE), item.message
    assert (item.operation is not None) is takes_time
    assert AuditEntry.objects.filter(action="start_bulk", after__verb=name).exists()
    told = Journal.objects.filter(device_id=device.pk, message__contains="why not").count()
    assert told == 1
    assert "localhost" not in str(AuditEntry.objects.values_list("after"))


def test_old_batches_are_forgotten_with_their_items() -> None:
    batch = begin("comment", [make_device()], {"text": "x", "mode": "append"})
    progress.advance(batch.pk, budget_seconds=LONG)
    open_one = begin("ping", [make_device()])
    assert progress.prune_some(clock.now() - timedelta(days=1)) == 0
    assert progress.prune_some(clock.now() + timedelta(days=1)) == 1
    assert list(BatchItem.objects.values_list("batch", flat=True)) == [open_one.pk]


def test_a_reason_is_one_line_and_a_needed_one_is_not_blank() -> None:
    batch = begin("ping", [make_device()], reason=" two\nlines ")
    assert batch.reason == "two lines"
    with pytest.raises(InvalidInputError, match="lock out needs a reason"):
        begin("lock_out", [make_device()], reason="\n")


def test_a_holders_power_cycle_leaves_alone_what_has_changed_hands_since() -> None:
    mine, others = plugged(2)
    Device.objects.filter(pk=mine.pk).update(held_by=5)
    Device.objects.filter(pk=others.pk).update(held_by=6)
    batch = begin("power_cycle", [mine, others], {"held_by": [5]})
    progress.advance(batch.pk, budget_seconds=LONG)
    refused = f"request 5 has {others.name} no longer"
    assert items(batch) == [("asked", ""), ("refused", refused)]
    assert not Operation.objects.filter(device=others).exists()
