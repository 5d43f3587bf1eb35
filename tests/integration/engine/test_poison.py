"""One row that can't be dealt with is pushed back and reported; all others go on as if it were not there."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DataError
from pytest_django import Settings

from bmm import operations
from bmm.models import Kind, Operation, Status
from devices.models import Device
from lifeguard import facts
from mozpool_site import clock
from mozpool_site.pulse.models import Parked
from requests_app.machine import RequestRunner, request_runner
from requests_app.models import Request
from tests.beats import Beats, pool_beats, rack_beats
from tests.factories import make_devices, make_image, make_request

pytestmark = pytest.mark.django_db(transaction=True)


def parked(loop: str) -> list[tuple[str, int, float, str]]:
    """Return what a loop has parked: key, times, seconds of its pause, and why."""
    return [
        (row.key, row.times, (row.until - row.last).total_seconds(), row.error)
        for row in Parked.objects.filter(loop=loop)
    ]


def quiet_pulse() -> Beats:
    """Give a pulse that does everything itself."""
    return rack_beats(alone=True)


@pytest.mark.parametrize(
    "error", [ValueError("no case for it"), DataError(1406, "Data too long for a column")]
)
def test_a_device_whose_timer_crashes_is_parked_and_the_other_timers_fire(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_image()
    poisoned, well = make_devices(2, state="mobile_init_started", deadline=clock.now() - timedelta(seconds=5))
    load = facts.load

    def crash(device: Device, now: object) -> object:
        if device.pk == poisoned.pk:
            raise error
        return load(device, now)  # type: ignore[arg-type]

    monkeypatch.setattr(facts, "load", crash)
    now = clock.now()
    quiet_pulse().beat(now)
    poisoned.refresh_from_db()
    well.refresh_from_db()
    assert (poisoned.state, well.state) == ("mobile_init_started", "pxe_power_cycling")
    assert poisoned.deadline is not None
    assert poisoned.deadline < now
    assert parked("timers") == [(str(poisoned.pk), 1, 2.0, f"{type(error).__name__}: {error}")]


@pytest.mark.parametrize(
    "error", [ValueError("no case for it"), DataError(1406, "Data too long for a column")]
)
def test_a_lost_operation_whose_device_crashes_does_not_keep_other_lost_ones_waiting(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_image()
    devices = make_devices(2, state="pc_power_cycling", deadline=clock.now() + timedelta(seconds=60))
    for device in devices:
        operation = operations.queue(device, Kind.PING, clock.now(), state_seq=0)
        assert operations.claim(operation, clock.now())
    Operation.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    poisoned, well = devices
    load = facts.load

    def crash(device: Device, now: object) -> object:
        if device.pk == poisoned.pk:
            raise error
        return load(device, now)  # type: ignore[arg-type]

    monkeypatch.setattr(facts, "load", crash)
    rack_beats().beat(clock.now())
    assert Operation.objects.get(device=poisoned).status == Status.RUNNING
    assert list(Operation.objects.filter(device=well).order_by("pk").values_list("status", flat=True)) == [
        Status.LOST,
        Status.QUEUED,
    ]
    key = str(Operation.objects.get(device=poisoned).pk)
    assert parked("lost work") == [(key, 1, 2.0, f"{type(error).__name__}: {error}")]


@pytest.mark.parametrize(
    "error", [ValueError("no case for it"), DataError(1406, "Data too long for a column")]
)
def test_a_request_whose_timer_crashes_is_parked_and_the_others_fire(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_image()
    past = clock.now() - timedelta(seconds=1)
    poisoned, well = (make_request(image, deadline=past, environment="nowhere") for _ in range(2))
    load = request_runner.facts

    def crash(self: RequestRunner, row: Request, event: object, now: object) -> object:
        if row.pk == poisoned.pk:
            raise error
        return load(row, event, now)  # type: ignore[arg-type]

    monkeypatch.setattr(RequestRunner, "facts", crash)
    pool_beats().beat(clock.now())
    poisoned.refresh_from_db()
    well.refresh_from_db()
    assert (poisoned.state, well.state) == ("finding_device", "failed_device_not_found")
    assert parked("request timers") == [(str(poisoned.pk), 1, 2.0, f"{type(error).__name__}: {error}")]


def test_an_expired_request_that_crashes_does_not_keep_others_from_expiring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = make_image()
    past = clock.now() - timedelta(seconds=1)
    poisoned, well = (make_request(image, expires=past, environment="nowhere") for _ in range(2))
    deliver = request_runner.deliver_unless_locked

    def crash(pk: int, event: object, **rest: object) -> object:
        if pk == poisoned.pk:
            raise ValueError("no case for it")
        return deliver(pk, event, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(request_runner, "deliver_unless_locked", crash)
    pool_beats().beat(clock.now())
    well.refresh_from_db()
    assert well.state == "closed"


def test_a_device_whose_boot_file_cannot_be_written_does_not_keep_others_from_theirs(
    tmp_path: Path, settings: Settings
) -> None:
    settings.MOZPOOL_TFTP_ROOT = str(tmp_path)
    boot_config = make_image().boot_configs.get().boot_config
    poisoned, well = make_devices(2, netboot=boot_config)
    Device.objects.filter(pk=poisoned.pk).update(mac="not-a-mac")
    rack_beats().beat(clock.now())
    pairs = "-".join(well.mac[at : at + 2] for at in range(0, 12, 2))
    assert (tmp_path / "pxelinux.cfg" / f"01-{pairs}").exists()
