"""A device that somebody takes away from its request: the request hears of it in the same breath, whoever does it."""

from collections.abc import Callable

import pytest
from django.test import Client

from devices.models import Device, Image, Journal
from lifeguard import quarantine
from lifeguard.bulk import progress
from lifeguard.bulk.services import start
from lifeguard.machine import device_runner
from lifeguard.services import force_state, please
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from requests_app.invariants import findings
from requests_app.models import Request
from tests.beats import pool_beats
from tests.factories import make_device, make_image, make_request
from tests.integration.api.pool import person, post
from tests.integration.api.v2.calls import send

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", "user", "192.0.2.5")

Take = Callable[[Device], object]


def ada() -> Client:
    """Give an operator's client."""
    return person("ada", "operator")


def in_bulk(verb: str, device: Device, **arguments: str) -> None:
    """Do something to a device as a batch of one."""
    start(verb, arguments, [device.name], by=ADA, reason="bug 4711")
    progress.advance(budget_seconds=5.0)


AWAY: dict[str, Take] = {
    "locked out by a service": lambda device: quarantine.lock_out(device.pk, reason="bug 4711", by=ADA),
    "quarantined": lambda device: quarantine.quarantine(device.pk, reason="bug 4711", by=ADA),
    "forced to troubleshooting": lambda device: force_state(
        device.pk, device.state, "troubleshooting", by=ADA
    ),
    "forced to unknown": lambda device: force_state(device.pk, device.state, "unknown", by=ADA),
    "forced to failed": lambda device: force_state(device.pk, device.state, "failed_pinging", by=ADA),
    "forced by the v2 API": lambda device: send(
        ada(),
        "POST",
        f"devices/{device.name}/state/",
        {"from": device.state, "to": "locked_out", "reason": "bug 4711"},
    ),
    "forced by the legacy API": lambda device: post(
        ada(), f"/api/device/{device.name}/state-change/{device.state}/to/locked_out/"
    ),
    "locked out in bulk": lambda device: in_bulk("lock_out", device),
    "troubleshot in bulk": lambda device: in_bulk("troubleshoot", device),
}
REPAIRS: dict[str, Take] = {
    "a self-test by a service": lambda device: please(device.pk, "self_test", by=ADA),
    "maintenance by a service": lambda device: please(device.pk, "start_maintenance", by=ADA),
    "a self-test by the v2 API": lambda device: send(
        ada(), "POST", f"devices/{device.name}/please/self-test/"
    ),
    "maintenance in bulk": lambda device: in_bulk("please_maintenance", device),
}


@pytest.fixture
def image() -> Image:
    """Make an image, and those that Lifeguard boots for its own ends."""
    make_image("self-test")
    make_image("maintenance")
    return make_image()


def held(image: Image, state: str, *, named: bool = False) -> tuple[Request, Device]:
    """Make a request that holds a device: ready, or on its way (in a state in which it can be asked for things)."""
    device = make_device(image=image)
    on_its_way = {"state": "self_test_running", "idle_since": None}
    if state == "pending":
        Device.objects.filter(pk=device.pk).update(**on_its_way)
    request = make_request(image, state=state, device=device, requested_device=device if named else None)
    return request, device


def now(request: Request) -> Request:
    """Read a request again."""
    return Request.objects.get(pk=request.pk)


def held_by(device: Device) -> int | None:
    """Read who holds a device."""
    return Device.objects.get(pk=device.pk).held_by


@pytest.mark.parametrize("how", [*AWAY, *REPAIRS])
def test_a_request_for_any_device_that_waits_for_it_goes_to_another_one_at_once(
    how: str, image: Image
) -> None:
    request, device = held(image, "pending")
    other = make_device(image=image)
    (AWAY | REPAIRS)[how](device)
    assert now(request).state == "pending"
    assert (held_by(device), held_by(other)) == (None, request.pk)
    assert findings(settle=0) == []


@pytest.mark.parametrize("how", [*AWAY, *REPAIRS])
def test_whoever_uses_it_is_told_that_it_is_lost_and_by_whom(how: str, image: Image) -> None:
    request, device = held(image, "ready")
    make_device(image=image)
    (AWAY | REPAIRS)[how](device)
    assert now(request).state == "failed_bad_device"
    assert held_by(device) is None
    line = Journal.objects.filter(request_id=request.pk, to_state="failed_bad_device").get()
    assert (line.event, "ada" in line.actor) == ("device_left", True)
    assert findings(settle=0) == []


@pytest.mark.parametrize("state", ["pending", "ready"])
@pytest.mark.parametrize("how", AWAY)
def test_a_request_for_this_very_device_fails(how: str, state: str, image: Image) -> None:
    request, device = held(image, state, named=True)
    AWAY[how](device)
    assert now(request).state == "failed_bad_device"
    assert held_by(device) is None


@pytest.mark.parametrize("state", ["pending", "ready"])
def test_a_request_for_this_very_device_waits_for_its_self_test_and_has_it_back(
    state: str, image: Image
) -> None:
    request, device = held(image, state, named=True)
    please(device.pk, "self_test", by=ADA)
    assert (now(request).state, held_by(device)) == ("pending", request.pk)
    for event in ("mobile_init_started", "self_test_running", "self_test_ok"):
        device_runner.deliver(device.pk, Event(event))
    waiting = now(request)
    assert (waiting.state, Device.objects.get(pk=device.pk).next_image) == ("pending", image)
    assert waiting.task_seq == Device.objects.get(pk=device.pk).task_seq


def test_a_request_for_this_very_device_fails_when_its_maintenance_begins(image: Image) -> None:
    request, device = held(image, "ready", named=True)
    please(device.pk, "start_maintenance", by=ADA)
    assert now(request).state == "pending"
    force_state(device.pk, "pxe_power_cycling", "maintenance_mode", by=ADA)
    assert now(request).state == "failed_bad_device"


def test_a_power_cycle_that_somebody_asks_for_takes_nothing_away_and_has_its_own_time(image: Image) -> None:
    request, device = held(image, "ready")
    please(device.pk, "power_cycle", by=ADA)
    waiting = now(request)
    assert (waiting.state, held_by(device)) == ("pending", request.pk)
    assert waiting.task_seq == Device.objects.get(pk=device.pk).task_seq
    assert waiting.deadline is not None
    assert (waiting.deadline - clock.now()).total_seconds() > 2 * 3600


@pytest.mark.parametrize("state", ["locked_out", "troubleshooting", "maintenance_mode"])
def test_what_the_signal_did_not_tell_the_pulse_does(state: str, image: Image) -> None:
    waits, first = held(image, "pending")
    uses, second = held(image, "ready")
    Device.objects.filter(pk__in=(first.pk, second.pk)).update(state=state, deadline=None)
    pool_beats().beat(clock.now())
    assert (now(waits).state, now(uses).state) == ("finding_device", "failed_bad_device")


def test_another_task_of_which_the_signal_was_lost_is_followed_by_the_pulse(image: Image) -> None:
    request, device = held(image, "pending")
    Device.objects.filter(pk=device.pk).update(state="pxe_booting", task_seq=7)
    pool_beats().beat(clock.now())
    assert (now(request).state, now(request).task_seq) == ("pending", 7)
