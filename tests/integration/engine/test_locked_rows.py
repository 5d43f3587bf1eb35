"""Somebody hangs in a transaction: its row waits, and nothing else does. MariaDB only: SQLite locks no rows."""

import time
from datetime import timedelta

import pytest
from django.db import connection

from bmm import controller_lease, operations
from bmm.models import Kind, Operation
from devices.models import Device, Image, PowerController, Rack
from lifeguard.tasks import fire_timer
from mozpool_site import clock
from mozpool_site.transactions import impatient
from requests_app.models import Request
from tests.beats import pool_beats, rack_beats
from tests.factories import make_controller, make_device, make_devices, make_image, make_rack, make_request
from tests.integration.threads import locked

pytestmark = pytest.mark.django_db(transaction=True)
# Seconds that whoever waited for a lock would spend on it.
LOCK_WAIT = 5


@pytest.fixture(autouse=True)
def where_rows_are_locked() -> None:
    """Skip where only the whole database can be."""
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("this database locks no rows")


def due(number: int, **columns: object) -> list[Device]:
    """Make devices whose timers nobody came for."""
    if not Image.objects.exists():
        make_image()
    deadline = clock.now() - timedelta(seconds=5)
    return [
        make_device(state="mobile_init_started", deadline=deadline, outlet=f"{outlet}", **columns)
        for outlet in range(1, number + 1)
    ]


def states(devices: list[Device]) -> list[str]:
    """Return the devices' states as they are now."""
    return [Device.objects.get(pk=device.pk).state for device in devices]


def test_a_device_that_somebody_has_locked_is_passed_over_and_the_others_timers_fire() -> None:
    first, *others = due(5)
    beats = rack_beats(alone=True)
    with locked(Device.objects.filter(pk=first.pk)):
        begun = time.monotonic()
        beats.loops[0].look(clock.now())
        took = time.monotonic() - begun
        assert states([first, *others]) == ["mobile_init_started"] + ["pxe_power_cycling"] * 4
        assert took < LOCK_WAIT
    time.sleep(1.1)
    beats.loops[0].look(clock.now())
    assert states([first]) == ["pxe_power_cycling"]
    beats.stop()


def test_a_worker_leaves_a_locked_device_to_the_pulse() -> None:
    (device,) = due(1)
    with locked(Device.objects.filter(pk=device.pk)):
        begun = time.monotonic()
        fire_timer(device.pk, device.state_seq)
        assert time.monotonic() - begun < LOCK_WAIT
    assert states([device]) == ["mobile_init_started"]


def test_a_locked_operation_or_controller_is_not_claimed_and_not_waited_for() -> None:
    device = make_device(state="ready")
    first, second = (operations.queue(device, Kind.PING, clock.now(), actor="ada") for _ in range(2))
    board = make_controller()
    with (
        locked(Operation.objects.filter(pk=first.pk)),
        locked(PowerController.objects.filter(pk=board.pk)),
    ):
        begun = time.monotonic()
        assert not operations.claim(first, clock.now())
        assert operations.claim(second, clock.now())
        assert not controller_lease.take(board.pk)
        assert time.monotonic() - begun < LOCK_WAIT
    assert controller_lease.take(board.pk)


def test_a_locked_request_does_not_keep_others_from_expiring() -> None:
    image = make_image()
    past = clock.now() - timedelta(seconds=1)
    first, second = (make_request(image, expires=past, environment="nowhere") for _ in range(2))
    with locked(Request.objects.filter(pk=first.pk)):
        begun = time.monotonic()
        pool_beats().beat()
        assert time.monotonic() - begun < LOCK_WAIT
        assert Request.objects.get(pk=second.pk).state == "closed"
        assert Request.objects.get(pk=first.pk).state == "finding_device"


def test_the_lock_of_a_controller_costs_its_devices_one_wait_and_the_others_nothing() -> None:
    board = make_controller()
    stuck = due(6, power_controller=board)
    others = due(4)
    beats = rack_beats(alone=True)
    connection.close()  # so that the next one waits as a loop's does
    with locked(PowerController.objects.filter(pk=board.pk)), impatient():
        begun = time.monotonic()
        beats.loops[0].look(clock.now())
        assert states(others) == ["pxe_power_cycling"] * 4
        assert states(stuck) == ["mobile_init_started"] * 6
        # One wait of a second, not six.
        assert time.monotonic() - begun < 5
    connection.close()
    beats.stop()


def test_a_lock_of_one_racks_row_does_not_silence_the_others() -> None:
    make_devices(1)
    second = make_devices(1, rack=make_rack("p9"))[0].rack
    beats = rack_beats()
    with locked(Rack.objects.filter(name="p1")):
        beats.beat()
        second.refresh_from_db()
        assert second.pulse_seen is not None
        assert Rack.objects.get(name="p1").pulse_seen is None
    beats.stop()


def test_a_transaction_whose_client_is_idle_for_long_is_ended_by_the_server() -> None:
    if not getattr(connection, "mysql_is_mariadb", False):
        pytest.skip("MariaDB's own setting")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@session.idle_transaction_timeout, @@session.net_read_timeout")
        assert cursor.fetchone() == (20, 20)
