"""Who holds a device boots it from the network with what their request asked for, and with nothing else."""

from typing import Any

import pytest
from django.test import Client

from bmm.models import Operation
from devices.models import Device
from tests.integration.api import pool
from tests.integration.api.pool import post

pytestmark = pytest.mark.django_db
ORDER = {"assignee": "me@x", "duration": 3600, "image": "b2g", "b2gbase": "http://x/y"}
KEY = "ssh-ed25519 AAAA mallory"


@pytest.fixture
def holder() -> Client:
    person = pool.person("mallory", "requester")
    assert post(person, "/api/device/device1/request/", ORDER).status_code == 200
    return person


def cycled(client: Client, api: str, netboot: str, values: dict[str, object]) -> Any:
    if api == "v2":
        body = {"netboot": netboot, "boot_config": values}
        return post(client, "/api/v2/devices/device1/power-cycle/", body)
    return post(client, "/api/device/device1/power-cycle/", {"pxe_config": netboot, "boot_config": values})


def by_hand() -> int:
    return Operation.objects.filter(state_seq=None).count()


@pytest.mark.parametrize("api", ["legacy", "v2"])
@pytest.mark.parametrize("netboot", ["fake-maintenance", "fake-self-test", "fake-android"])
def test_a_holder_boots_no_maintenance_with_an_ssh_key_of_their_own(
    holder: Client, api: str, netboot: str
) -> None:
    before = Device.objects.values("netboot", "boot_seq", "next_boot_config").get(name="device1")
    answer = cycled(holder, api, netboot, {"authorized_keys.1": KEY})
    assert answer.status_code == 403
    assert "which is all that request" in answer.json()["detail"]
    assert Device.objects.values("netboot", "boot_seq", "next_boot_config").get(name="device1") == before
    assert by_hand() == 0


@pytest.mark.parametrize("api", ["legacy", "v2"])
def test_a_holder_gives_their_images_boot_config_no_value_that_the_image_does_not_take(
    holder: Client, api: str
) -> None:
    answer = cycled(holder, api, "fake-b2g", {"b2gbase": "http://x/y", "authorized_keys.1": KEY})
    assert answer.status_code == 400
    assert "authorized_keys.1" in answer.json()["detail"]
    assert by_hand() == 0


@pytest.mark.parametrize("api", ["legacy", "v2"])
def test_a_holder_installs_their_image_again(holder: Client, api: str) -> None:
    assert cycled(holder, api, "fake-b2g", {"b2gbase": "http://x/z"}).status_code in (200, 202)
    assert by_hand() == 1


def test_operators_boot_what_they_like(holder: Client) -> None:
    operator = pool.person("olga", "operator")
    assert cycled(operator, "v2", "fake-maintenance", {"authorized_keys.1": KEY}).status_code == 202
    assert by_hand() == 1
