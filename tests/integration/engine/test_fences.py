"""Everything that comes too late is journalled and dropped: timers, results of operations, calls of a device."""

from datetime import timedelta

import pytest

from bmm import operations
from bmm.bootfiles import base_url
from bmm.models import Kind, Operation, Status
from bmm.operations import Answer, Outcome
from devices.models import Device, Journal
from lifeguard.machine import device_runner
from lifeguard.reports import report
from lifeguard.services import boot_event
from mozpool_site import clock
from mozpool_site.errors import NotAllowedError
from mozpool_site.statemachine.machine import Event, Verdict
from mozpool_site.statemachine.runner import Actor
from mozpool_site.statemachine.spec import TIMEOUT
from tests.factories import make_device, make_image

pytestmark = pytest.mark.django_db(transaction=True)
BOARD = Actor("127.0.0.1", "agent")


def journalled(device: Device) -> list[str]:
    """Give the messages about a device, oldest first."""
    lines = Journal.objects.filter(device_id=device.pk).order_by("time", "id")
    return list(lines.values_list("message", flat=True))


def token_of(device: Device) -> str:
    """Give the token that the boot file of the device's present boot would carry."""
    return base_url(Device.objects.select_related("rack").get(pk=device.pk)).rpartition("/")[2]


def test_a_timer_that_was_set_for_an_earlier_state_does_nothing() -> None:
    device = make_device(state="pxe_booting", state_seq=7, deadline=clock.now() - timedelta(seconds=1))
    delivery = device_runner.deliver(device.pk, Event(TIMEOUT), fence={"state_seq": 6})
    device.refresh_from_db()
    assert (delivery.verdict, delivery.refused) == (Verdict.IGNORED, "state_seq is 7, not 6")
    assert (device.state, device.state_seq, device.counters) == ("pxe_booting", 7, {})
    assert journalled(device) == ["late: state_seq is 7, not 6"]


def test_a_timer_that_rings_before_its_deadline_does_nothing_and_tells_nobody() -> None:
    device = make_device(state="pxe_booting", state_seq=7, deadline=clock.now() + timedelta(seconds=30))
    assert not device_runner.deliver(device.pk, Event(TIMEOUT), fence={"state_seq": 7}).moved
    assert journalled(device) == []


def test_a_timer_that_rings_twice_fires_once() -> None:
    make_image()
    device = make_device(state="mobile_init_started", state_seq=7, deadline=clock.now())
    for _ in range(2):
        device_runner.deliver(device.pk, Event(TIMEOUT), fence={"state_seq": 7})
    device.refresh_from_db()
    assert (device.state, device.state_seq) == ("pxe_power_cycling", 8)
    assert device.counters == {"mobile_init_started": 1}


def test_the_result_of_an_operation_that_was_called_off_is_journalled_and_dropped() -> None:
    device = make_device(state="pc_power_cycling", state_seq=3)
    operation = operations.queue(device, Kind.PING, clock.now(), state_seq=3)
    assert operations.claim(operation, clock.now())
    operations.supersede(device)
    report(operation, Outcome(Answer.OK))
    device.refresh_from_db()
    assert (device.state, device.state_seq) == ("pc_power_cycling", 3)
    assert Operation.objects.get().status == Status.SUPERSEDED
    assert Operation.objects.get().running_on is None
    assert journalled(device) == [f"late: operation {operation.pk} was called off"]


def test_a_result_counts_only_from_the_runner_that_holds_the_operation() -> None:
    device = make_device(state="pc_pinging", state_seq=3)
    operation = operations.queue(device, Kind.PING, clock.now(), state_seq=3)
    assert operations.claim(operation, clock.now())
    Operation.objects.update(runner="another host")
    report(operation, Outcome(Answer.OK))
    device.refresh_from_db()
    assert device.state == "pc_pinging"
    stored = Operation.objects.get()
    assert (stored.status, stored.runner, stored.running_on) == (Status.RUNNING, "another host", device.pk)


def test_a_result_that_is_reported_twice_acts_once() -> None:
    device = make_device(state="pc_pinging", state_seq=3)
    operation = operations.queue(device, Kind.PING, clock.now(), state_seq=3)
    assert operations.claim(operation, clock.now())
    report(operation, Outcome(Answer.OK))
    report(operation, Outcome(Answer.OK))
    device.refresh_from_db()
    assert (device.state, device.state_seq) == ("ready", 4)


def test_a_call_of_an_earlier_boot_is_refused() -> None:
    device = make_device(state="pxe_booting", boot_seq=5, deadline=clock.now() + timedelta(seconds=60))
    old = token_of(device)
    Device.objects.filter(pk=device.pk).update(boot_seq=6)
    device.refresh_from_db()
    with pytest.raises(NotAllowedError, match="not that of the present boot"):
        boot_event(device, "mobile_init_started", token=old, by=BOARD)
    device.refresh_from_db()
    assert device.state == "pxe_booting"


def test_a_call_that_overtakes_the_next_power_cycle_is_dropped_under_the_lock() -> None:
    device = make_device(state="pxe_booting", boot_seq=5, deadline=clock.now() + timedelta(seconds=60))
    token = token_of(device)
    # The caller read the row, then the machine moved on: only the fence can tell.
    Device.objects.filter(pk=device.pk).update(boot_seq=6)
    with pytest.raises(NotAllowedError, match="is over"):
        boot_event(device, "mobile_init_started", token=token, by=BOARD)
    device.refresh_from_db()
    assert device.state == "pxe_booting"
    assert journalled(device) == ["late: boot_seq is 6, not 5"]


def test_a_call_of_the_present_boot_counts_once_however_often_it_comes() -> None:
    make_image()
    device = make_device(state="pxe_booting", boot_seq=5, deadline=clock.now() + timedelta(seconds=60))
    for _ in range(3):
        device.refresh_from_db()
        boot_event(device, "mobile_init_started", token=token_of(device), by=BOARD)
    device.refresh_from_db()
    assert (device.state, device.state_seq) == ("mobile_init_started", 1)
    assert journalled(device) == [
        "entering state mobile_init_started",
        "ignored event mobile_init_started in state mobile_init_started",
    ]


def test_a_board_that_calls_before_its_power_cycle_is_confirmed_is_believed() -> None:
    device = make_device(state="pxe_power_cycling", state_seq=2, boot_seq=1)
    operation = operations.queue(device, Kind.PING, clock.now(), state_seq=2)
    assert operations.claim(operation, clock.now())
    boot_event(device, "mobile_init_started", token=token_of(device), by=BOARD)
    report(operation, Outcome(Answer.OK))
    device.refresh_from_db()
    assert device.state == "mobile_init_started"
    assert journalled(device)[-1] == f"late: operation {operation.pk} was called off"
