"""What a holder has asked for by hand ends with the hold: it switches nobody else's device."""

from typing import Any

import pytest

from bmm import drain
from bmm.models import OPEN, Kind, Operation, Status
from devices.models import Device, PowerController
from lifeguard.reports import report
from mozpool_site import clock
from tests.integration.api import pool
from tests.integration.api.pool import post

pytestmark = pytest.mark.django_db
ORDER = {"assignee": "me@x", "duration": 3600, "image": "android"}


def manual() -> list[tuple[str, int]]:
    """Name the open operations that people have asked for, and who had the device."""
    rows = Operation.objects.filter(state_seq=None, status__in=OPEN)
    return list(rows.values_list("kind", "held_by"))


@pytest.fixture
def rented() -> tuple[Any, int]:
    person = pool.person("rita", "requester")
    filed = post(person, "/api/device/device1/request/", ORDER).json()["request"]["id"]
    return person, filed


def test_of_three_hundred_power_cycles_of_a_holder_one_waits(rented: tuple[Any, int]) -> None:
    person, filed = rented
    for _ in range(300):
        assert post(person, "/api/device/device1/power-cycle/").status_code == 200
    assert manual() == [(Kind.POWER_CYCLE, filed)]
    assert Operation.objects.filter(state_seq=None, status=Status.SUPERSEDED).count() == 299


def test_power_cycles_of_a_holder_are_called_off_when_the_next_one_gets_the_device(
    rented: tuple[Any, int],
) -> None:
    person, filed = rented
    post(person, "/api/device/device1/power-cycle/")
    post(person, f"/api/request/{filed}/return/")
    Device.objects.filter(name="device1").update(state="ready", idle_since=clock.now())
    next_ = post(pool.person("nora", "requester"), "/api/device/device1/request/", ORDER).json()["request"][
        "id"
    ]
    assert Device.objects.get(name="device1").held_by == next_
    assert manual() == []


def test_power_cycles_of_a_holder_are_called_off_when_a_worker_finds_them_after_the_return(
    rented: tuple[Any, int],
) -> None:
    person, filed = rented
    post(person, "/api/device/device1/power-cycle/")
    post(person, f"/api/request/{filed}/return/")
    assert manual() == [(Kind.POWER_CYCLE, filed)]
    PowerController.objects.update(address="127.0.0.1:1")
    drain.drain(Device.objects.get(name="device1").power_controller_id or 0, report)
    assert Operation.objects.get(state_seq=None).status == Status.SUPERSEDED
