"""A board or a rack that has died keeps nobody waiting: its devices are nobody's, and who had one gets another."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from bmm.drain import drain
from devices.models import Device, PowerController, Rack
from lifeguard.machine import device_runner
from lifeguard.reports import report
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from requests_app import invariants
from requests_app.free_devices import outages
from requests_app.models import Request
from requests_app.serving import match_waiting
from requests_app.snapshot import stock
from requests_app.waiting.queue import queue
from requests_app.waiting.why import COLUMNS, HELD, Waiting, explain
from tests.beats import pool_beats
from tests.factories import file_order, make_controller, make_device, make_image, make_rack, make_request
from tests.integration.engine.conftest import OUTLETS, Lab

pytestmark = pytest.mark.django_db(transaction=True)


def why(request: Request) -> Waiting:
    """Give why a request waits, by the pool as it is now."""
    for memory in (stock, queue, outages):
        memory.forget()
    rows = list(Request.objects.filter(pk=request.pk).values(*COLUMNS))
    held = {row["held_by"]: row for row in Device.objects.filter(held_by=request.pk).values("held_by", *HELD)}
    return explain(rows, held, clock.now())[request.pk]


def sweep(now: datetime) -> None:
    """Let a pulse that has looked after the pool for a while look at it again."""
    pulse = pool_beats()
    pulse.beat(now - timedelta(seconds=12))
    outages.forget()
    pulse.beat(now)


def holders(devices: list[Device]) -> list[int]:
    """Give the requests that hold some devices."""
    held = Device.objects.filter(pk__in=[device.pk for device in devices], held_by__isnull=False)
    return sorted(number for number in held.values_list("held_by", flat=True) if number is not None)


def test_requests_that_healthy_devices_can_serve_are_ready_as_if_a_dead_board_were_not_there(
    lab: Lab,
) -> None:
    image, long_ago = make_image(), clock.now() - timedelta(hours=1)
    # Nobody listens there; idle for longest, its devices are the first to be given away.
    dead = make_controller()
    on_it = [
        make_device(power_controller=dead, outlet=outlet, image=image, idle_since=long_ago)
        for outlet in OUTLETS
    ]
    boards = [lab.controller(0), lab.controller(1)]
    healthy = [device for board in boards for device in lab.devices(board, 4, image=image)]
    requests = [file_order(image) for _ in healthy]
    assert holders(on_it) == [request.pk for request in requests], "the board's devices were caught first"

    drain(dead.pk, report)

    assert holders(on_it) == []
    assert holders(healthy) == [request.pk for request in requests]
    for board in boards:
        drain(board.pk, report)
    for device in healthy:
        device_runner.deliver(device.pk, Event("verify_port_ok"))
    assert set(Request.objects.values_list("state", flat=True)) == {"ready"}
    late = file_order(image)
    assert (late.state, holders(on_it)) == ("finding_device", [])
    told = why(late)
    assert (told.reason, told.place) == ("all_busy", 1)
    assert told.detail == "16 devices fit: 8 in use, 8 on suspect power controllers"
    assert not invariants.findings(settle=0)


def test_once_a_board_is_trusted_again_its_devices_serve_again() -> None:
    image, board = make_image(), make_controller()
    device = make_device(power_controller=board, outlet="bank1:relay1", image=image)
    PowerController.objects.update(suspect_until=clock.now() + timedelta(minutes=5))
    request = file_order(image)
    assert (request.state, match_waiting()) == ("finding_device", 0)
    assert why(request).reason == "controller_suspect"
    assert why(request).detail == "1 device fits: 1 on suspect power controllers"
    PowerController.objects.update(suspect_until=clock.now())
    outages.forget()
    assert match_waiting() == 1
    assert Device.objects.get(pk=device.pk).held_by == request.pk


def test_within_one_sweep_of_the_pulse_who_waits_on_a_suspect_board_or_in_a_silent_rack_has_another_device() -> (
    None
):
    image, silent = make_image(), make_rack("silent")
    board = make_controller()
    caught = [
        make_device(state="pxe_booting", power_controller=board, outlet="bank1:relay1", idle_since=None),
        make_device(state="pxe_booting", rack=silent, idle_since=None),
    ]
    requests = [make_request(image, state="pending", device=device) for device in caught]
    spare = [make_device(image=image) for _ in requests]
    now = clock.now()
    PowerController.objects.update(suspect_until=now + timedelta(minutes=10))
    Rack.objects.filter(pk=silent.pk).update(pulse_seen=now - timedelta(seconds=31))
    sweep(now)
    assert holders(caught) == []
    assert holders(spare) == [request.pk for request in requests]
    assert not invariants.findings(settle=0)


def test_no_rack_is_taken_for_silent_where_nobody_could_hear_it() -> None:
    """After an outage of the database, or of the pool's pulse, all racks seem silent; theirs come back in seconds."""
    image, rack, now = make_image(), make_rack("p1"), clock.now()
    device = make_device(state="pxe_booting", rack=rack, idle_since=None)
    request = make_request(image, state="pending", device=device)
    make_device(image=image)
    Rack.objects.filter(pk=rack.pk).update(pulse_seen=now - timedelta(seconds=40))
    pulse = pool_beats()
    for seconds in (0, 3, 6):
        pulse.beat(now + timedelta(seconds=seconds))
    Rack.objects.filter(pk=rack.pk).update(pulse_seen=now + timedelta(seconds=7))
    outages.forget()
    pulse.beat(now + timedelta(seconds=12))
    assert holders([device]) == [request.pk]
    for seconds in (90, 93, 99):
        pulse.beat(now + timedelta(seconds=seconds))
    assert holders([device]) == [request.pk]
    outages.forget()
    pulse.beat(now + timedelta(seconds=102))
    assert holders([device]) == []
    assert not invariants.findings(settle=0)


def test_who_named_a_device_keeps_it_while_its_board_is_suspect_and_is_told_so() -> None:
    image, board, now = make_image(), make_controller(), clock.now()
    until = now + timedelta(minutes=10)
    PowerController.objects.update(suspect_until=until)
    devices = [make_device(power_controller=board, outlet=outlet, image=image) for outlet in OUTLETS[:2]]
    named = file_order(image, device=devices[0])
    assert named.state == "pending"
    make_device(image=image)
    sweep(now)
    assert holders(devices) == [named.pk]
    told = why(named)
    assert (told.reason, told.estimate_seconds) == ("controller_suspect", None)
    stored = PowerController.objects.get().suspect_until
    assert stored is not None
    name = devices[0].name
    assert told.detail == f"{name} is on a suspect power controller until {stored:%H:%M:%S} UTC"


def test_a_ready_device_stays_with_its_holder_whatever_becomes_of_its_board() -> None:
    image, board, now = make_image(), make_controller(), clock.now()
    device = make_device(power_controller=board, outlet="bank1:relay1", image=image)
    request = make_request(image, state="ready", device=device)
    PowerController.objects.update(suspect_until=now + timedelta(minutes=10))
    make_device(image=image)
    sweep(now)
    assert holders([device]) == [request.pk]


@pytest.mark.parametrize(
    ("columns", "reason", "told"),
    [
        (
            {"health": "bad", "quarantine_by": "ada", "quarantine_reason": "smells"},
            "quarantined",
            "in quarantine",
        ),
        ({"gone_since": "2026-03-01T12:00Z"}, "left_inventory", "no longer in the inventory"),
    ],
)
def test_a_ready_device_that_is_kept_aside_is_given_to_nobody(
    client: Client, columns: dict[str, str], reason: str, told: str
) -> None:
    image = make_image()
    device = make_device(image=image)
    Device.objects.update(**columns)
    request, named = file_order(image), file_order(image, device=device)
    assert (request.state, named.state, holders([device])) == ("finding_device", "finding_device", [])
    assert (why(request).reason, why(request).detail) == (reason, f"1 device fits: 1 {told}")
    assert why(named).detail.startswith(f"{device.name} is {told}")
