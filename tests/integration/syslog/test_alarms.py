"""A panic in a device's log is an event of its journal, puts its health in doubt, and has an idle one asked at once."""

from datetime import timedelta
from typing import Any

import pytest

from bmm.models import Operation
from bmm.syslog.signals import device_alarmed
from devices.models import Device, Journal
from lifeguard import log_alarms
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from tests.factories import make_device, make_image, make_request
from tests.integration.syslog.conftest import Board, receiving, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
PANIC = b"<0>Nov 22 19:00:00 panda kernel: Kernel panic - not syncing: VFS"


def fresh(device: Device) -> Device:
    return Device.objects.get(pk=device.pk)


def test_an_idle_devices_panic_brings_its_health_check_forward(network: str) -> None:
    now = clock.now()
    device = make_device(
        address=f"{network}.9.1",
        health="good",
        state_since=now - timedelta(hours=1),
        deadline=now + timedelta(seconds=300),
    )
    with receiving() as port:
        board = Board(device, port)
        board.says(PANIC, PANIC)
        assert sorted(board.heard(2)) == [
            ("", "kernel: Kernel panic - not syncing: VFS"),
            ("kernel_panic", "kernel: Kernel panic - not syncing: VFS"),
        ]
        wait_for(lambda: fresh(device).health == "unknown")
    found = fresh(device)
    assert found.quarantine_reason == "its log told of kernel_panic"
    assert found.deadline is not None
    assert found.deadline <= clock.now()
    assert (found.state, found.state_seq) == (device.state, device.state_seq)
    device_runner.deliver(device.pk, Event("timeout"), fence={"state_seq": device.state_seq})
    assert [operation.kind for operation in Operation.objects.filter(device=device)] == ["check_health"]


def test_a_held_devices_panic_is_flagged_and_nothing_else(network: str) -> None:
    image = make_image("android")
    device = make_device(address=f"{network}.9.1", health="good", image=image)
    make_request(image, state="ready", device=device)
    before = fresh(device)
    with receiving() as port:
        Board(device, port).says(PANIC)
        wait_for(lambda: fresh(device).health == "unknown")
    after = fresh(device)
    assert (after.deadline, after.state, after.state_seq, after.held_by) == (
        before.deadline, before.state, before.state_seq, before.held_by,
    )  # fmt: skip


def test_a_notice_is_an_event_and_no_doubt(network: str) -> None:
    device = make_device(address=f"{network}.9.1", health="good")
    with receiving() as port:
        board = Board(device, port)
        board.says(b"<4>kernel: python invoked oom-killer: gfp_mask=0x201da")
        assert board.heard(1)[0][0] == "out_of_memory"
    assert fresh(device).health == "good"
    assert fresh(device).deadline == device.deadline


def test_an_alarm_from_before_the_present_state_is_late() -> None:
    device = make_device(health="good")
    assert not log_alarms.heed(device.pk, "kernel_panic", device.state_since - timedelta(seconds=1))
    assert fresh(device).health == "good"


def test_a_board_that_panics_on_and_on_is_asked_once_in_half_a_minute() -> None:
    now = clock.now()
    device = make_device(state_since=now - timedelta(hours=1), deadline=now + timedelta(seconds=595))
    assert log_alarms.heed(device.pk, "kernel_panic", now)
    assert fresh(device).deadline == now + timedelta(seconds=25)
    assert not log_alarms.heed(device.pk, "kernel_oops", clock.now())
    assert fresh(device).deadline == now + timedelta(seconds=25)


@pytest.mark.parametrize("state", ["pxe_power_cycling", "failed_pinging", "locked_out", "maintenance_mode"])
def test_a_device_that_is_not_ready_keeps_its_deadline_and_its_state(state: str) -> None:
    device = make_device(state=state, health="bad", quarantine_reason="why")
    assert not log_alarms.heed(device.pk, "kernel_panic", clock.now())
    found = fresh(device)
    assert (found.state, found.deadline, found.health, found.quarantine_reason) == (
        state, device.deadline, "bad", "why",
    )  # fmt: skip


def test_a_device_that_is_gone_has_no_health() -> None:
    assert not log_alarms.heed(12345, "kernel_panic", clock.now())


def test_an_alarm_is_in_the_journal_even_if_nobody_can_heed_it(network: str) -> None:
    device = make_device(address=f"{network}.9.1", health="good")

    def fails(sender: Any, **_: Any) -> None:
        raise ValueError("a receiver is broken")

    device_alarmed.connect(fails)
    try:
        with receiving() as port:
            Board(device, port).says(PANIC)
            wait_for(lambda: Journal.objects.filter(event="kernel_panic").exists())
    finally:
        device_alarmed.disconnect(fails)
