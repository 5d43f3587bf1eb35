"""A web process asks no hardware and no foreign server, whatever it is asked for: none may be within its reach."""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from bmm import asking
from bmm.models import Kind, Operation
from devices.models import Device, PowerController
from lifeguard.models import InventoryReading
from tests.factories import make_controller, make_device, make_image
from tests.integration.access.connections import none_but_database_and_broker
from tests.integration.access.people import somebody

pytestmark = pytest.mark.django_db


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be where nothing but the database and the broker can be reached."""
    monkeypatch.setattr(asking, "SECONDS", 0.05)
    with none_but_database_and_broker(monkeypatch) as tried:
        yield
    assert tried == []


@pytest.fixture
def board() -> PowerController:
    return make_controller("10.99.0.1:2101")


@pytest.fixture
def device(board: PowerController) -> Device:
    return make_device(
        power_controller=board, outlet="bank1:relay1", image=make_image(), address="10.99.1.1", state="ready"
    )


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(somebody("root", "admin"))
    return client


def test_the_guard_sees_connections_datagrams_and_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    with none_but_database_and_broker(monkeypatch) as tried:
        with pytest.raises(OSError, match="a web process must not: look-up"):
            socket.create_connection(("10.99.0.1", 2101), timeout=1)
        with (
            socket.socket(type=socket.SOCK_DGRAM) as link,
            pytest.raises(OSError, match="a web process must not"),
        ):
            link.sendto(b"x", ("10.99.0.1", 7))
        with pytest.raises(OSError, match="a web process must not"):
            subprocess.run(["true"], check=False)
    assert tried == ["look-up of 10.99.0.1", "sendto ('10.99.0.1', 7)", "program ['true']"]


# What is asked for, and the questions that it leaves for the workers.
ASKING: dict[str, tuple[str, str, dict[str, Any], list[Kind]]] = {
    "the button of a test": ("POST", "/admin/devices/powercontroller/{board}/test/", {}, [Kind.TEST_CONTROLLER]),
    "a test of several": (
        "POST", "/admin/devices/powercontroller/", {"action": "test", "_selected_action": "{board}"},
        [Kind.TEST_CONTROLLER],
    ),
    "the outlets in the administration": (
        "POST", "/admin/devices/powercontroller/{board}/outlets/", {}, [Kind.READ_OUTLETS],
    ),
    "the outlets of a rack": ("POST", "/racks/p1/outlets/{name}/", {}, [Kind.READ_OUTLETS]),
    "a test by the API": ("POST", "/api/v2/power-controllers/{name}/test/", {}, [Kind.TEST_CONTROLLER]),
    "outlets by the API": ("POST", "/api/v2/power-controllers/{name}/read-outlets/", {}, [Kind.READ_OUTLETS]),
    "a ping by the API": ("POST", "/api/v2/devices/{device}/ping/", {}, [Kind.PING]),
    "an old client's test": ("GET", "/api/relay/{name}/test/", {}, [Kind.TEST_CONTROLLER]),
    "an old client's ping": ("GET", "/api/device/{device}/ping/", {}, [Kind.PING]),
    "a power cycle": ("POST", "/api/v2/devices/{device}/power-cycle/", {}, [Kind.POWER_CYCLE]),
    "a repair": ("POST", "/api/v2/devices/{device}/please/self-test/", {}, []),
    "all pages of a rack": ("GET", "/racks/p1/", {}, []),
    "the page of a controller": ("GET", "/admin/devices/powercontroller/{board}/change/", {}, []),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKING)
def test_hardware_is_left_to_the_workers_and_no_controller_is_said_to_be_silent(
    outside: None, root: Client, board: PowerController, device: Device, what: str
) -> None:
    method, path, form, kinds = ASKING[what]
    names = {"board": board.pk, "name": board.name, "device": device.name}
    before = PowerController.objects.filter(pk=board.pk).values().get()
    body = {key: value.format(**names) for key, value in form.items()}
    if path.startswith("/api/"):
        answer = root.generic(method, path.format(**names), b"{}" if method == "POST" else b"",
                              content_type="application/json")  # fmt: skip
    else:
        answer = root.generic(method, path.format(**names), "&".join(f"{k}={v}" for k, v in body.items()),
                              content_type="application/x-www-form-urlencoded")  # fmt: skip
    assert answer.status_code in (200, 202, 302, 503), answer.content
    if kinds:
        assert list(Operation.objects.values_list("kind", flat=True)) == kinds
    assert PowerController.objects.filter(pk=board.pk).values().get() == before


def test_what_pages_follow_asks_nobody_either(outside: None, root: Client, board: PowerController) -> None:
    begun = root.post(f"/racks/p1/outlets/{board.name}/")
    assert root.get(begun.headers["Location"]).status_code == 200
    tests = root.post(f"/admin/devices/powercontroller/{board.pk}/test/")
    page = root.get(tests.headers["Location"])
    assert re.search(r"waits for a worker of rack p1", page.content.decode())


def test_a_declared_inventory_is_left_to_the_workers(
    outside: None, root: Client, tmp_path: Path, settings: Settings
) -> None:
    settings.MOZPOOL_INVENTORY = tmp_path / "inventory.yaml"
    settings.MOZPOOL_INVENTORY.write_text("sources: {lab: {kind: netbox, url: 'http://10.99.0.9/'}}\n")
    page = root.post("/admin/inventory/", {"source": "lab"}).headers["Location"]
    assert "Waiting for a worker to read lab." in root.get(page).content.decode()
    assert InventoryReading.objects.get().finished is None
