"""An operation has one runner at a time, and its end is told exactly once, whoever dies on the way."""

from datetime import timedelta

import pytest

from bmm import operations
from bmm.models import Kind, Operation, Status
from bmm.operations import Answer, Outcome
from bmm.run import run
from devices.models import Device, Journal
from lifeguard.machine import device_runner
from lifeguard.reports import report
from lifeguard.services import please
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.statemachine.spec import TIMEOUT
from tests.beats import rack_beats
from tests.factories import make_device, make_devices, make_image
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
OPERATOR = Actor("ada", "user")


def claimed(device: Device, kind: str = Kind.PING, **columns: object) -> Operation:
    """Queue an operation of the device's present state and claim it."""
    operation = operations.queue(device, kind, clock.now(), state_seq=device.state_seq)
    assert operations.claim(operation, clock.now())
    Operation.objects.filter(pk=operation.pk).update(**columns)
    return operation


def run_out(operation: Operation) -> None:
    """Let the lease of an operation end: its runner was killed."""
    Operation.objects.filter(pk=operation.pk).update(lease_until=clock.now() - timedelta(seconds=1))


def test_of_many_who_claim_an_operation_one_gets_it() -> None:
    operation = operations.queue(make_device(), Kind.PING, clock.now())
    won = in_threads(8, lambda _: operations.claim(Operation.objects.get(pk=operation.pk), clock.now()))
    assert sorted(map(bool, won)) == [False] * 7 + [True]
    operation.refresh_from_db()
    assert (operation.status, operation.attempts) == (Status.RUNNING, 1)


def test_of_many_operations_of_one_device_one_runs() -> None:
    device = make_device()
    queued = [operations.queue(device, Kind.PING, clock.now()) for _ in range(8)]
    won = in_threads(8, lambda index: operations.claim(queued[index], clock.now()))
    assert sorted(map(bool, won)) == [False] * 7 + [True]
    assert Operation.objects.filter(running_on=device.pk).count() == 1


def test_claims_and_supersedes_of_many_devices_at_once_end_without_an_error() -> None:
    image = make_image()
    devices = make_devices(8, image=image)

    def stir(index: int) -> None:
        device = devices[index % len(devices)]
        for _ in range(6):
            if index < len(devices):
                force(device)
            else:
                for operation in Operation.objects.filter(device=device, status=Status.QUEUED):
                    operations.claim(operation, clock.now())

    def force(device: Device) -> None:
        row = Device.objects.get(pk=device.pk)
        device_runner.deliver(row.pk, Event("please_power_cycle"))
        Device.objects.filter(pk=row.pk).update(state="ready")

    in_threads(16, stir)
    assert Operation.objects.filter(status=Status.RUNNING, running_on=None).count() == 0


def test_an_operation_that_is_to_wait_cannot_be_claimed_before_its_time() -> None:
    now = clock.now()
    operation = operations.queue(make_device(), Kind.PING, now, not_before=now + timedelta(seconds=9))
    assert not operations.claim(operation, now)
    assert operations.claim(operation, now + timedelta(seconds=10))


def test_a_poll_that_missed_is_put_back_for_its_next_try_and_moves_nothing() -> None:
    device = make_device(state="pc_pinging", state_seq=3)
    now = clock.now()
    operation = operations.queue(device, Kind.PING, now, poll=1, state_seq=3)
    assert operations.claim(operation, now)
    report(operation, Outcome(Answer.FAILED, "no answer"))
    operation.refresh_from_db()
    device.refresh_from_db()
    assert (operation.status, operation.runner, operation.running_on, operation.attempts) == (
        Status.QUEUED,
        "",
        None,
        1,
    )
    assert operation.not_before > now
    assert (device.state, device.state_seq) == ("pc_pinging", 3)


@pytest.mark.parametrize(("waited", "pause"), [(0, 0.2), (3, 0.2), (10, 0.5), (20, 1), (300, 1)])
def test_a_device_that_comes_up_is_looked_at_less_often_the_longer_it_takes(
    waited: float, pause: float
) -> None:
    now = clock.now()
    operation = operations.queue(make_device(), Kind.PING, now, poll=1)
    assert operations.claim(operation, now)
    later = now + timedelta(seconds=waited)
    assert operations.try_again_later(operation, later)
    operation.refresh_from_db()
    assert operation.not_before - later == timedelta(seconds=pause)


def test_of_several_that_are_claimed_at_once_those_of_busy_devices_wait() -> None:
    devices = make_devices(3)
    now = clock.now()
    assert operations.claim(operations.queue(devices[0], Kind.POWER_OFF, now), now)
    waiting = [operations.queue(device, Kind.POWER_OFF, now) for device in devices]
    assert operations.claim_all(waiting, now) == waiting[1:]
    assert operations.claim_all(waiting[1:], now + timedelta(seconds=1)) == []
    rows = Operation.objects.filter(pk__in=[operation.pk for operation in waiting]).order_by("pk")
    assert [row.status for row in rows] == [Status.QUEUED, Status.RUNNING, Status.RUNNING]


@pytest.mark.parametrize(("extra", "abandoned_after", "lease"), [(0, 22, 30), (56, 78, 86)])
def test_what_may_take_longer_is_leased_for_longer_and_called_abandoned_later(
    extra: float, abandoned_after: float, lease: float
) -> None:
    now = clock.now()
    operation = operations.queue(make_device(), Kind.POWER_CYCLE, now)
    assert operations.claim_all([operation], now, extra) == [operation]
    operation.refresh_from_db()
    assert operation.lease_until == now + timedelta(seconds=lease)
    assert not operations.abandoned(operation, now + timedelta(seconds=abandoned_after - 0.1))
    assert operations.abandoned(operation, now + timedelta(seconds=abandoned_after))


def test_a_poll_that_was_called_off_while_it_missed_is_not_put_back() -> None:
    device = make_device(state="pc_pinging", state_seq=3)
    operation = operations.queue(device, Kind.PING, clock.now(), poll=1, state_seq=3)
    assert operations.claim(operation, clock.now())
    operations.supersede(device)
    report(operation, Outcome(Answer.FAILED))
    operation.refresh_from_db()
    assert (operation.status, operation.running_on, operation.lease_until) == (Status.SUPERSEDED, None, None)


def test_an_operation_whose_runner_died_is_begun_again_and_counts_nothing_against_the_device() -> None:
    device = please(make_device(image=make_image()).pk, "power_cycle", by=OPERATOR)
    operation = Operation.objects.get()
    assert operations.claim(operation, clock.now())
    run_out(operation)
    rack_beats().beat(clock.now())
    device.refresh_from_db()
    first, second = Operation.objects.order_by("pk")
    assert (first.status, first.result, first.running_on) == (Status.LOST, Answer.LOST, None)
    assert (second.status, second.state_seq) == (Status.QUEUED, device.state_seq)
    assert (device.state, device.counters, device.failures) == ("pc_power_cycling", {"repeats": 1}, 0)


def test_two_pulses_that_find_the_same_lost_operation_report_it_once() -> None:
    device = please(make_device(image=make_image()).pk, "power_cycle", by=OPERATOR)
    operation = Operation.objects.get()
    assert operations.claim(operation, clock.now())
    run_out(operation)
    in_threads(2, lambda _: rack_beats().beat(clock.now()))
    device.refresh_from_db()
    assert device.state_seq == 2
    assert Operation.objects.count() == 2


def test_the_device_of_a_dead_runner_whose_operation_was_called_off_is_freed_when_the_lease_ends() -> None:
    device = make_device(state="pc_power_cycling", state_seq=1)
    operation = claimed(device)
    operations.supersede(device)
    behind = operations.queue(device, Kind.PING, clock.now(), actor="ada")
    assert not operations.claim(behind, clock.now())
    run_out(operation)
    rack_beats().beat(clock.now())
    assert operations.claim(behind, clock.now())


def test_a_runner_that_comes_back_after_its_lease_changes_nothing() -> None:
    device = please(make_device(image=make_image()).pk, "power_cycle", by=OPERATOR)
    operation = Operation.objects.get()
    assert operations.claim(operation, clock.now())
    run_out(operation)
    rack_beats().beat(clock.now())
    report(operation, Outcome(Answer.OK))
    device.refresh_from_db()
    assert (device.state, device.state_seq) == ("pc_power_cycling", 2)
    assert Journal.objects.filter(message=f"late: operation {operation.pk} was called off").count() == 1


def test_a_manual_operation_is_journalled_under_its_asker_and_moves_nothing() -> None:
    device = make_device(image=make_image())
    operation = operations.queue(device, Kind.PING, clock.now(), actor="ada")
    assert operations.claim(operation, clock.now())
    report(operation, Outcome(Answer.OK, "answers"))
    device.refresh_from_db()
    line = Journal.objects.get()
    assert (line.message, line.source, line.actor) == ("ping asked for by ada: answers", "user", "ada")
    assert (device.state, device.state_seq) == ("ready", 0)


def test_a_bell_for_an_operation_that_is_done_or_gone_does_nothing() -> None:
    operation = operations.queue(make_device(), Kind.PING, clock.now())
    Operation.objects.update(status=Status.DONE)
    assert not run(operation.pk, report)
    assert not run(operation.pk + 1, report)


def test_a_poll_that_nobody_came_for_any_more_counts_nothing_when_its_deadline_passes() -> None:
    now = clock.now()
    device = make_device(state="pc_pinging", state_seq=3, deadline=now)
    operations.queue(device, Kind.PING, now - timedelta(seconds=9), poll=1, state_seq=3)
    # It was tried once, then its worker died: no attempt was made for most of the window.
    Operation.objects.update(attempts=1, not_before=now - timedelta(seconds=8))
    delivery = device_runner.deliver(device.pk, Event(TIMEOUT))
    assert (delivery.row.state, delivery.row.counters) == ("pc_pinging", {"repeats": 1})


def test_a_poll_that_was_tried_to_the_end_counts_when_its_deadline_passes() -> None:
    now = clock.now()
    device = make_device(state="pc_pinging", state_seq=3, deadline=now)
    operations.queue(device, Kind.PING, now - timedelta(seconds=9), poll=1, state_seq=3)
    Operation.objects.update(attempts=9, not_before=now + timedelta(seconds=0.5))
    delivery = device_runner.deliver(device.pk, Event(TIMEOUT))
    assert delivery.row.counters == {"pc_pinging": 1}


def test_a_poll_whose_runner_died_in_the_last_window_counts_nothing() -> None:
    now = clock.now()
    device = make_device(state="pc_pinging", state_seq=3, deadline=now)
    operation = operations.queue(device, Kind.PING, now - timedelta(seconds=9), poll=1, state_seq=3)
    assert operations.claim(operation, now)
    # A ping is over within 3 s; this one has been running for 6, so nobody is there.
    Operation.objects.update(begun=now - timedelta(seconds=6), lease_until=now + timedelta(seconds=4))
    delivery = device_runner.deliver(device.pk, Event(TIMEOUT))
    assert delivery.row.counters == {"repeats": 1}


def test_a_claim_whose_answer_was_lost_on_the_way_is_ours_when_it_is_made_again() -> None:
    operation = operations.queue(make_device(), Kind.PING, clock.now())
    now = clock.now()
    assert operations.claim(operation, now)
    # The database died after the commit; the same call is made once more.
    assert operations.claim(operation, now)
    operation.refresh_from_db()
    assert (operation.status, operation.attempts) == (Status.RUNNING, 1)
    assert not operations.claim(operation, now + timedelta(seconds=1))
