"""The search for free devices gives those that serve by the pure answer, and no others: on random pools."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmm.signals import controller_suspected
from devices.models import Device, PowerController, Rack
from devices.models.device import Health
from devices.models.rack import SILENT_AFTER, pulse_is_silent
from mozpool_site import clock
from requests_app.free_devices import free_devices, outages
from requests_app.memory import Memory
from requests_app.planning.availability import Reason, availability
from requests_app.planning.pool import DeviceSnapshot
from requests_app.snapshot import COLUMNS, availability_of, stock
from tests.factories import make_controller, make_device, make_devices, make_rack
from tests.unit.planning.pools import MOMENTS, NOON, STATES

pytestmark = pytest.mark.django_db
DEVICES, RACKS, BOARDS = 12, 3, 4
STORED = ("state", "held_by", "idle_since", "health", "quarantine_by", "gone_since")
SEEN = st.none() | MOMENTS.map(lambda moment: moment - SILENT_AFTER)


@st.composite
def columns(draw: st.DrawFn) -> dict[str, object]:
    """Give what decides about one device, as the machine and people leave it."""
    state, held = draw(STATES), draw(st.booleans())
    return {
        "state": state,
        "held_by": held,
        "idle_since": NOON - timedelta(minutes=5) if state == "ready" and not held else None,
        "health": draw(st.sampled_from(Health.values)),
        "quarantine_by": draw(st.sampled_from(["", "", "ada"])),
        "gone_since": draw(st.sampled_from([None, None, NOON])),
        "rack": draw(st.integers(0, RACKS - 1)),
        "board": draw(st.none() | st.integers(0, BOARDS - 1)),
    }


@pytest.fixture
def pool() -> tuple[list[Device], list[Rack], list[PowerController]]:
    """Make a pool whose rows each example changes."""
    racks = [make_rack(f"p{number}") for number in range(RACKS)]
    return make_devices(DEVICES), racks, [make_controller(rack=racks[0]) for _ in range(BOARDS)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(columns(), min_size=DEVICES, max_size=DEVICES),
    st.lists(SEEN, min_size=RACKS, max_size=RACKS),
    st.lists(st.none() | MOMENTS, min_size=BOARDS, max_size=BOARDS),
)
def test_the_database_finds_the_devices_that_serve(
    pool: tuple[list[Device], list[Rack], list[PowerController]],
    drawn: list[dict[str, object]],
    seen: list[datetime | None],
    suspect: list[datetime | None],
) -> None:
    devices, racks, boards = pool
    for rack, moment in zip(racks, seen, strict=True):
        rack.pulse_seen = moment
    for board, moment in zip(boards, suspect, strict=True):
        board.suspect_until = moment
    for number, (device, given_) in enumerate(zip(devices, drawn, strict=True)):
        for name in STORED:
            setattr(device, name, given_[name])
        device.held_by = 1000 + number if given_["held_by"] else None
        device.rack = racks[int(str(given_["rack"]))]
        on = given_["board"]
        device.power_controller = None if on is None else boards[int(str(on))]
        device.outlet = "" if on is None else f"bank1:relay{number}"
    with transaction.atomic():
        Rack.objects.bulk_update(racks, ["pulse_seen"])
        PowerController.objects.bulk_update(boards, ["suspect_until"])
        Device.objects.bulk_update(devices, [*STORED, "rack", "power_controller", "outlet"])
    outages.forget()
    judged = {device.pk: availability(known(device), NOON) for device in devices}
    assert set(free_devices(NOON).values_list("pk", flat=True)) == {
        pk for pk, one in judged.items() if one.now
    }
    by_name = free_devices(NOON, by_name=True).values_list("pk", flat=True)
    assert set(by_name) == {pk for pk, one in judged.items() if one.by_name}
    told = {row["pk"]: availability_of(row, NOON).reason for row in Device.objects.values("pk", *COLUMNS)}
    assert told == {pk: one.reason for pk, one in judged.items()}
    counted = {reason: sum(kind[reason] for kind in stock.anew(NOON).values()) for reason in Reason}
    assert counted == {reason: sum(one.reason is reason for one in judged.values()) for reason in Reason}


def known(device: Device) -> DeviceSnapshot:
    """Give what is known of a device, from its own columns and those of its rack and board alone."""
    return DeviceSnapshot(
        state=device.state,
        held=device.held_by is not None,
        rack_silent=pulse_is_silent(device.rack.pulse_seen, NOON),
        suspect_until=device.power_controller.suspect_until if device.power_controller else None,
        quarantined=device.health == "bad" and bool(device.quarantine_by),
        gone=device.gone_since is not None,
    )


def test_what_is_remembered_gives_nobody_a_device_of_a_board_just_seen_to_fail() -> None:
    board = make_controller()
    device = make_device(power_controller=board, outlet="bank1:relay1")
    assert list(free_devices(clock.now())) == [device]
    PowerController.objects.update(suspect_until=clock.now() + timedelta(minutes=10))
    assert list(free_devices(clock.now())) == [device], "known for a second"
    controller_suspected.send(PowerController, controller_id=board.pk)
    assert list(free_devices(clock.now())) == []


def test_what_was_being_read_while_it_was_forgotten_is_not_remembered() -> None:
    read: list[int] = []

    def look(_: datetime) -> int:
        read.append(len(read))
        if len(read) == 1:
            memory.forget()
        return read[-1]

    memory = Memory(look, 60.0)
    assert [memory.get(NOON) for _ in range(3)] == [0, 1, 1]
