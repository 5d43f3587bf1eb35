"""The hardware page: where a device's power comes from, what it boots, and what was last done to it."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from bmm.models import Operation
from devices.models import BootConfig, PowerController
from mozpool_site import clock
from tests.factories import make_controller, make_device, make_image
from tests.integration.access.people import somebody

pytestmark = pytest.mark.django_db


def rows(role: str = "viewer") -> dict[str, str]:
    """Give the text of each row, by device."""
    client = Client()
    client.force_login(somebody(role, role))
    text = client.get("/bmm/").content.decode()
    found = re.findall(r'<tr data-device="([^"]+)">(.*?)</tr>', text, re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]+>", " ", row).split()) for name, row in found}


def test_a_row_tells_of_power_network_boot_and_what_was_last_done() -> None:
    now = clock.now()
    make_image("b2g")
    controller = make_controller()
    device = make_device(
        name="one", mac="02007f400003", power_controller=controller, outlet="bank1:relay3", state="pxe_booting",
        netboot=BootConfig.objects.get(name="panda-b2g"), address="10.1.2.3",
    )  # fmt: skip
    make_device(name="two")
    for kind, status, hours in (
        ("ping", "done", 30), ("ping", "failed", 2), ("power_off", "done", 9), ("power_cycle", "done", 5),
        ("check_health", "done", 1),
    ):  # fmt: skip
        moment = now - timedelta(hours=hours)
        Operation.objects.create(
            device=device, rack=device.rack, kind=kind, status=status, created=moment, not_before=moment,
            finished=moment,
        )  # fmt: skip
    told = rows()
    assert told["one"] == (
        f"one p1 ▶ pxe booting {controller.name} bank1:relay3 02:00:7f:40:00:03 10.1.2.3 panda-b2g "
        "✓ power cycle 5 h ago ✕ ping failed 2 h ago Log of one"
    )
    assert "no outlet" in told["two"]
    assert "own storage – –" in told["two"]


def test_a_power_controller_in_trouble_is_marked() -> None:
    now = clock.now()
    columns: dict[str, dict[str, object]] = {
        "well": {"last_contact": now, "last_error_at": now - timedelta(hours=1), "last_error": "old"},
        "silent": {"last_contact": now - timedelta(hours=1), "last_error_at": now, "last_error": "no route"},
        "suspect": {"suspect_until": now + timedelta(minutes=5)},
    }
    for name, values in columns.items():
        controller = make_controller()
        PowerController.objects.filter(pk=controller.pk).update(**values)
        make_device(name=name, power_controller=controller, outlet="bank1:relay1")
    told = rows()
    assert {name for name, row in told.items() if "trouble" in row} == {"silent", "suspect"}
