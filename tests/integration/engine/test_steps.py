"""A step is stored as a whole or not at all, stores no passing state, and calls off what its state had started."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import transaction

from bmm import operations
from bmm.models import Kind, Operation, Status
from devices import journal
from devices.models import Device, Journal
from devices.models.image import SELF_TEST
from devices.services import comments_digest, set_comments
from lifeguard import effects
from lifeguard.machine import device_runner
from lifeguard.services import force_state, please
from mozpool_site import clock
from mozpool_site.errors import ConflictError, InvalidInputError
from mozpool_site.statemachine.machine import Event, Verdict
from mozpool_site.statemachine.runner import Actor, StaleRowError
from mozpool_site.statemachine.spec import TIMEOUT
from tests.factories import make_device, make_image
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
OPERATOR = Actor("ada", "user")


def columns(device: Device) -> dict[str, object]:
    """Give every stored column of a device."""
    return dict(Device.objects.values().get(pk=device.pk))


def test_what_waited_for_a_lock_is_noted_at_the_moment_at_which_it_happened() -> None:
    device = make_device(image=make_image())
    held, waiting = threading.Event(), threading.Event()

    def repairs() -> None:
        with transaction.atomic():
            row, _ = device_runner.lock(device.pk)
            held.set()
            waiting.wait(10)
            time.sleep(0.3)  # the other one is waiting for the lock by now
            journal.append([journal.line("the first", clock.now(), device_id=row.pk)])

    def comes_second() -> None:
        held.wait(10)
        waiting.set()
        with transaction.atomic():
            row, now = device_runner.lock(device.pk)
            journal.append([journal.line("the second", now, device_id=row.pk)])

    in_threads(2, lambda number: (repairs, comes_second)[number]())
    lines = Journal.objects.filter(device_id=device.pk).order_by("time", "id")
    assert [line.message for line in lines] == ["the first", "the second"]


def test_many_who_note_something_at_once_overwrite_nobody() -> None:
    device = make_device(comments="old")
    seen = comments_digest("old")

    def notes(number: int) -> bool:
        try:
            set_comments(device.pk, f"from {number}", by=OPERATOR, seen=seen)
        except ConflictError:
            return False
        return True

    done = in_threads(6, notes)
    device.refresh_from_db()
    assert done.count(True) == 1
    assert device.comments == f"from {done.index(True)}"


def test_a_crash_in_the_middle_of_a_step_leaves_the_old_row_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = make_image()
    device = make_device(image=image)
    before = columns(device)

    def crash(context: effects.Context) -> None:
        context.device.boot_seq += 1
        raise RuntimeError("the process dies here")

    # `netboot_on` is the last write of the path: task and next image are decided by then.
    monkeypatch.setitem(effects.WRITES, "netboot_on", crash)
    with pytest.raises(RuntimeError, match="dies here"):
        please(device.pk, "image", by=OPERATOR, image=image)
    assert columns(device) == before
    assert not Operation.objects.exists()
    assert not Journal.objects.exists()


def test_a_crash_while_the_journal_is_written_takes_the_whole_step_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = make_image()
    device = make_device(image=image)
    before = columns(device)

    def crash(*_: object) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(device_runner, "journal", crash)
    with pytest.raises(RuntimeError, match="dies here"):
        please(device.pk, "image", by=OPERATOR, image=image)
    assert columns(device) == before
    assert not Operation.objects.exists()


def test_a_step_through_passing_states_stores_only_the_last_and_journals_each() -> None:
    image = make_image()
    device = please(make_device(image=image).pk, "image", by=OPERATOR, image=image)
    stored = columns(device)
    assert (stored["state"], stored["state_seq"], stored["boot_seq"], stored["task_seq"]) == (
        "pxe_power_cycling",
        1,
        1,
        1,
    )
    steps = Journal.objects.exclude(to_state="").order_by("id").values_list("from_state", "to_state")
    assert list(steps) == [("ready", "start_pxe_boot"), ("start_pxe_boot", "pxe_power_cycling")]
    operation = Operation.objects.get()
    assert (operation.kind, operation.state_seq, operation.boot_seq) == (Kind.POWER_CYCLE, 1, 1)


def test_leaving_a_state_calls_off_what_it_had_started_and_its_runner_is_told() -> None:
    image = make_image()
    device = please(make_device(image=image).pk, "power_cycle", by=OPERATOR)
    first = Operation.objects.get()
    device = please(device.pk, "image", by=OPERATOR, image=image) if device.state == "ready" else device
    force_state(device.pk, "pc_power_cycling", "troubleshooting", by=OPERATOR)
    first.refresh_from_db()
    assert first.status == Status.SUPERSEDED
    assert not operations.claim(first, clock.now())


def test_a_manual_operation_survives_a_move_of_the_machine() -> None:
    device = make_device(image=make_image())
    manual = operations.queue(device, Kind.PING, clock.now(), actor="ada")
    please(device.pk, "power_cycle", by=OPERATOR)
    manual.refresh_from_db()
    assert manual.status == Status.QUEUED


def test_a_forced_change_needs_the_state_that_the_operator_saw() -> None:
    device = make_device(state="failed_pxe_booting", deadline=None)
    with pytest.raises(ConflictError, match="is in state failed_pxe_booting, not ready"):
        force_state(device.pk, "ready", "troubleshooting", by=OPERATOR)
    with pytest.raises(InvalidInputError, match="'start_pxe_boot' is no state"):
        force_state(device.pk, "failed_pxe_booting", "start_pxe_boot", by=OPERATOR)
    assert columns(device)["state"] == "failed_pxe_booting"


def test_a_forced_change_works_from_an_unknown_state_name_too_and_says_who_and_why() -> None:
    device = make_device(state="unknown", deadline=None)
    moved = force_state(device.pk, "ready", "troubleshooting", by=OPERATOR, reason="loose cable")
    assert (moved.state, moved.deadline, moved.state_seq) == ("troubleshooting", None, 1)
    assert Journal.objects.filter(message="forced from ready to troubleshooting by ada: loose cable").exists()


def test_forcing_a_device_to_ready_offers_it_again_and_gives_it_a_deadline() -> None:
    device = make_device(state="failed_pxe_booting", deadline=None, idle_since=None)
    moved = force_state(device.pk, "failed_pxe_booting", "ready", by=OPERATOR)
    assert moved.idle_since is not None
    assert moved.deadline is not None


def test_a_stored_state_that_the_table_does_not_know_takes_what_unknown_takes() -> None:
    device = make_device(state="pxe_dancing", deadline=None, image=make_image())
    moved = please(device.pk, "power_cycle", by=OPERATOR)
    assert moved.state == "pc_power_cycling"


def test_a_row_changed_by_hand_behind_the_lock_is_never_overwritten() -> None:
    device = make_device(state="pxe_booting", state_seq=4, deadline=clock.now() - timedelta(seconds=1))
    stale = Device.objects.get(pk=device.pk)
    Device.objects.filter(pk=device.pk).update(state_seq=5, state="troubleshooting", deadline=None)
    with pytest.raises(StaleRowError, match="no longer at state_seq 4"):
        device_runner.deliver_locked(stale, Event(TIMEOUT), clock.now())
    assert columns(device)["state"] == "troubleshooting"


def test_a_deadline_that_passes_before_anybody_began_the_operation_counts_nothing() -> None:
    image = make_image()
    device = please(make_device(image=image).pk, "power_cycle", by=OPERATOR)
    Device.objects.filter(pk=device.pk).update(deadline=clock.now())
    delivery = device_runner.deliver(device.pk, Event(TIMEOUT))
    assert (delivery.verdict, delivery.row.state, delivery.row.counters) == (
        Verdict.MOVED,
        "pc_power_cycling",
        {"repeats": 1},
    )
    assert [op.status for op in Operation.objects.order_by("pk")] == [Status.SUPERSEDED, Status.QUEUED]


def test_a_deadline_that_passes_after_the_operation_failed_counts_one() -> None:
    image = make_image()
    device = please(make_device(image=image).pk, "power_cycle", by=OPERATOR)
    operation = Operation.objects.get()
    assert operations.claim(operation, clock.now())
    operations.finish(operation, operations.Outcome(operations.Answer.FAILED), clock.now())
    Device.objects.filter(pk=device.pk).update(deadline=clock.now())
    delivery = device_runner.deliver(device.pk, Event(TIMEOUT))
    assert delivery.row.counters == {"pc_power_cycling": 1}


def test_a_device_in_new_tests_itself_and_comes_to_the_power_cycle_of_its_self_test() -> None:
    make_image(SELF_TEST, verification="none", hidden=True)
    device = make_device(state="new", deadline=clock.now())
    delivery = device_runner.deliver(device.pk, Event(TIMEOUT))
    assert delivery.row.state == "pxe_power_cycling"
    assert delivery.row.next_image is not None
    assert delivery.row.next_image.name == SELF_TEST
    assert delivery.row.netboot is not None
