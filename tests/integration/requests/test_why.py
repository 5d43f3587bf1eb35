"""Why a request waits, where it stands in line, and for about how long: told from the pool as it is."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from devices.models import Device, Rack
from mozpool_site import clock
from requests_app.free_devices import outages
from requests_app.models import Request
from requests_app.services import return_request
from requests_app.serving import match_device
from requests_app.snapshot import stock
from requests_app.waiting.history import history
from requests_app.waiting.queue import queue
from tests.factories import file_order, make_device, make_devices, make_image, make_rack, make_request
from tests.factories.requests import CLIENT

pytestmark = pytest.mark.django_db(transaction=True)


def why(client: Client, request: Request) -> Any:
    for memory in (stock, queue, history, outages):
        memory.forget()
    return client.get(f"/api/v2/requests/{request.pk}/").json()["waiting"]


def test_who_waits_for_devices_in_use_is_told_its_place_among_its_rivals(alice: Client) -> None:
    image = make_image()
    make_devices(2, held_by=None, state="ready", idle_since=None)
    Device.objects.filter(pk=Device.objects.earliest("pk").pk).update(held_by=1_000_000)
    Device.objects.filter(pk=Device.objects.latest("pk").pk).update(held_by=1_000_001)
    make_request(image, environment="staging")
    make_request(image, tags=["gpu"])
    make_device(environment="staging", tags=["gpu"], state="troubleshooting", deadline=None)
    first, second = (make_request(image, environment="production") for _ in range(2))
    urgent = make_request(image, environment="production", priority=5)
    assert why(alice, urgent)["place"] == 1
    assert why(alice, first)["place"] == 2
    assert why(alice, second) == {
        "reason": "all_busy",
        "detail": "2 devices fit: 2 in use; 2 requests come first",
        "place": 3,
        "estimate_seconds": None,
    }


def test_each_obstacle_has_its_own_reason(alice: Client) -> None:
    image, rack = make_image(), make_rack("down")
    Rack.objects.filter(pk=rack.pk).update(pulse_seen=clock.now() - timedelta(hours=1))
    make_device(environment="down", rack=rack)
    make_device(environment="shop", state="maintenance_mode", deadline=None)
    make_device(environment="broken", state="failed_pxe_booting", deadline=None)
    make_device(environment="locked", state="locked_out", deadline=None)
    make_device(environment="coming", state="pxe_booting")
    expected = {
        "down": ("rack_down", "1 device fits: 1 in racks that are down"),
        "shop": ("device_in_maintenance", "1 device fits: 1 in maintenance"),
        "broken": ("out_of_order", "1 device fits: 1 out of order"),
        "locked": ("locked_out", "1 device fits: 1 locked out"),
        "coming": ("being_prepared", "1 device fits: 1 being prepared"),
        "nowhere": ("no_such_device", "no device that there is fits"),
    }
    for environment, told in expected.items():
        waiting = why(alice, make_request(image, environment=environment))
        assert (waiting["reason"], waiting["detail"]) == told
    second = why(alice, make_request(image, environment="coming"))
    assert (second["reason"], second["place"]) == ("ahead_in_queue", 2)


def test_who_waits_for_a_certain_device_is_told_of_that_one(alice: Client) -> None:
    image = make_image()
    make_devices(3, image=image)
    device = make_device(state="maintenance_mode", deadline=None)
    waiting = why(alice, make_request(image, requested_device=device))
    assert waiting == {
        "reason": "device_in_maintenance",
        "detail": f"{device.name} is in maintenance",
        "place": 1,
        "estimate_seconds": None,
    }


def past(image: Any, preparation: int, use: int) -> None:
    """Let a request have been prepared in so many seconds, and have had its device for so many."""
    ended = clock.now() - timedelta(minutes=1)
    matched = ended - timedelta(seconds=use)
    make_request(
        image,
        state="closed",
        matched_at=matched,
        ready_at=matched + timedelta(seconds=preparation),
        ended=ended,
    )


def test_an_estimate_is_made_of_what_the_last_day_took(alice: Client) -> None:
    image, other = make_image(), make_image("linux")
    for preparation, use in ((90, 500), (100, 600), (5000, 700)):
        past(image, preparation, use)
    make_devices(4, state="ready", idle_since=None, environment="production")
    for number, device in enumerate(Device.objects.all()):
        Device.objects.filter(pk=device.pk).update(held_by=1_000_000 + number)
    first, second = make_request(image), make_request(image)
    # One of four devices comes free each 600 / 4 seconds; then it takes 100 to prepare it.
    assert why(alice, first)["estimate_seconds"] == 250
    assert why(alice, second)["estimate_seconds"] == 400
    assert why(alice, make_request(other))["estimate_seconds"] is None


def test_while_its_device_is_prepared_the_estimate_counts_down(alice: Client) -> None:
    image = make_image()
    past(image, 100, 600)
    device = make_device(state="pxe_booting")
    request = make_request(
        image, state="pending", device=device, matched_at=clock.now() - timedelta(seconds=40)
    )
    waiting = why(alice, request)
    assert waiting.pop("estimate_seconds") in (59, 60)
    assert waiting == {
        "reason": "being_prepared",
        "detail": f"{device.name} is being prepared: pxe_booting",
        "place": 1,
    }


def test_who_has_a_device_or_has_ended_waits_for_nothing(alice: Client) -> None:
    image = make_image()
    assert why(alice, make_request(image, state="ready", device=make_device(image=image))) is None
    assert why(alice, make_request(image, state="closed", ended=clock.now())) is None


def test_when_a_device_was_matched_is_remembered_with_the_request() -> None:
    image = make_image()
    make_device(image=image)
    before = clock.now()
    request = file_order(image)
    assert request.matched_at is not None
    assert before <= request.matched_at <= clock.now()
    waiting = file_order(image)
    assert waiting.matched_at is None


def test_who_has_waited_long_goes_before_the_urgent_who_come_late() -> None:
    image, now = make_image(), clock.now()
    patient = make_request(image, priority=-10, created=now - timedelta(seconds=601))
    rivals = [make_request(image, priority=10, created=now) for _ in range(3)]
    device = make_device(image=image)
    assert match_device(device.pk)
    assert Device.objects.get(pk=device.pk).held_by == patient.pk
    assert {Request.objects.get(pk=rival.pk).state for rival in rivals} == {"finding_device"}


def test_the_last_of_many_who_wait_is_served_when_only_it_fits() -> None:
    image = make_image()
    for number in range(250):
        make_request(image, tags=[f"tag{number}"])
    last = make_request(image, tags=["hdmi"])
    device = make_device(image=image, tags=["hdmi"])
    assert match_device(device.pk)
    assert Device.objects.get(pk=device.pk).held_by == last.pk
    return_request(last.pk, by=CLIENT)
