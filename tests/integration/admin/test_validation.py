"""The admin refuses what no device, image, boot config or controller can be, beside the field that is wrong."""

from typing import Any

import pytest
from django.test import Client

from bmm import netboot, operations
from devices.models import BootConfig, Device, Image, PowerController
from devices.models.boot_config import PLACEHOLDERS
from mozpool_site import clock
from tests.integration.admin.pages import errors, load, send


def device_page(device: Device) -> str:
    return f"/admin/devices/device/{device.pk}/change/"


def refused(client: Client, path: str, change: dict[str, Any]) -> dict[str, list[str]]:
    return errors(send(client, path, {**load(client, path), **change}))


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"outlet": "bank9:relay1"}, "outlet", "bank1:relay1 to bank4:relay8 expected"),
        ({"outlet": "bank1:relay1 "}, "", ""),
        ({"outlet": ""}, "outlet", "Which outlet of relay-1-1?"),
        ({"power_controller": ""}, "outlet", "An outlet needs a power controller"),
        ({"name": "any"}, "name", '"any" stands for no matter which'),
        ({"environment": "any"}, "environment", '"any" stands for no matter which'),
        ({"name": "panda_1; reboot"}, "name", "Letters, digits and hyphens"),
        ({"fqdn": "a b"}, "fqdn", "Letters, digits and hyphens"),
        ({"mac": "02000000000A"}, "mac", "Twelve lower-case hex digits"),
        ({"tags": '"hdmi"'}, "tags", "A list of plain names"),
        ({"tags": '["hdmi", "hdmi"]'}, "tags", "A list of plain names"),
        ({"tags": '["a b"]'}, "tags", "A list of plain names"),
        ({"tags": "[1]"}, "tags", "A list of plain names"),
        ({"name": "panda-0002"}, "name", "already exists"),
        ({"name": "PANDA-0002"}, "name", "panda-0002 is there already, but for its case."),
        ({"mac": "000000000000"}, "mac", "No network card has this MAC address: it is all zeros."),
        (
            {"mac": "ffffffffffff"},
            "mac",
            "No network card has this MAC address: it is the broadcast address.",
        ),
        ({"address": "fe80::1"}, "address", "IPv6 is not spoken here: an IPv4 address expected."),
        (
            {"address": "224.0.0.1"},
            "address",
            "The IPv4 address of one host expected (it is a multicast group's).",
        ),
        ({"outlet": "bank1:relay2"}, "__all__", "already exists"),
    ],
)
def test_a_device_that_cannot_be(
    admin: Client, pool: list[Device], change: dict[str, str], field: str, words: str
) -> None:
    before = Device.objects.filter(pk=pool[0].pk).values().get()
    if not field:  # white space around a value is no mistake
        assert (
            send(admin, device_page(pool[0]), {**load(admin, device_page(pool[0])), **change}).status_code
            == 302
        )
    else:
        assert words in " ".join(refused(admin, device_page(pool[0]), change)[field])
    assert Device.objects.filter(pk=pool[0].pk).values().get() == before


def test_a_device_hangs_on_a_controller_of_its_own_rack(admin: Client, pool: list[Device]) -> None:
    other = PowerController.objects.exclude(rack=pool[0].rack).earliest("pk")
    told = refused(admin, device_page(pool[0]), {"power_controller": other.pk})
    assert told["power_controller"] == [f"{other} is in rack p2, not in the device's."]


def test_a_held_device_keeps_its_environment_and_may_get_a_comment(admin: Client, pool: list[Device]) -> None:
    Device.objects.filter(pk=pool[0].pk).update(held_by=5, idle_since=None)
    told = refused(admin, device_page(pool[0]), {"environment": "elsewhere"})
    assert told["environment"] == ["Request 5 has the device, and asked for it as it is: return it first."]
    sent = {**load(admin, device_page(pool[0])), "comments": "fine"}
    assert send(admin, device_page(pool[0]), sent).status_code == 302


def test_a_comment_that_somebody_else_wrote_since_the_page_was_opened_is_not_overwritten(
    admin: Client, pool: list[Device]
) -> None:
    path = device_page(pool[0])
    opened = load(admin, path)
    Device.objects.filter(pk=pool[0].pk).update(comments="its fan is loud")
    told = errors(send(admin, path, {**opened, "comments": "all is well"}))
    assert "somebody else has changed" in told["comments"][0].lower()
    assert Device.objects.get(pk=pool[0].pk).comments == "its fan is loud"
    # Who changes something else has nothing to do with it, and takes nothing back.
    assert send(admin, path, {**opened, "tags": '["hdmi"]'}).status_code == 302
    stored = Device.objects.get(pk=pool[0].pk)
    assert (stored.comments, stored.tags) == ("its fan is loud", ["hdmi"])
    again = load(admin, path)
    assert send(admin, path, {**again, "comments": "its fan is loud\r\nand hot"}).status_code == 302


def test_a_device_at_work_keeps_its_outlet(admin: Client, pool: list[Device]) -> None:
    work = operations.queue(pool[0], "power_off", clock.now(), actor="somebody")
    told = refused(admin, device_page(pool[0]), {"outlet": "bank4:relay8"})
    assert told["outlet"] == [f"{work} is under way: wait for its end, or lock the device out."]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"verification": "tcp", "verify_port": ""}, "verify_port", "needs the port"),
        ({"verify_port": "70000"}, "verify_port", "less than or equal to 65535"),
        ({"boot_config_keys": '{"b2gbase": ""}'}, "boot_config_keys", "A list of plain names"),
        ({"boot_config_keys": '["b2g base"]'}, "boot_config_keys", "A list of plain names"),
        ({"boot_config_keys": '["x\\u0000"]'}, "boot_config_keys", "A list of plain names"),
        ({"boot_config_keys": "[[]]"}, "boot_config_keys", "A list of plain names"),
        ({"boot_config_keys": "b2gbase"}, "boot_config_keys", "valid JSON"),
        ({"install_timeout": "0"}, "install_timeout", "greater than or equal to 1"),
        ({"name": "a/../b"}, "name", "64 at most"),
    ],
)
def test_an_image_that_cannot_be(
    admin: Client, pool: list[Device], change: dict[str, str], field: str, words: str
) -> None:
    image = Image.objects.get(name="android")
    assert words in " ".join(refused(admin, f"/admin/devices/image/{image.pk}/change/", change)[field])


@pytest.mark.parametrize("field", ["contents", "second_stage"])
@pytest.mark.parametrize("text", ["a %TOKN% b", "a %token% b", "%IPADDRESS% %BASE_URL% %BASEURLS%", "a\0b"])
def test_a_boot_config_that_nobody_fills_in(admin: Client, pool: list[Device], field: str, text: str) -> None:
    boot_config = BootConfig.objects.earliest("pk")
    told = refused(admin, f"/admin/devices/bootconfig/{boot_config.pk}/change/", {field: text})
    assert ("is no placeholder" in told[field][0]) or ("Null characters" in told[field][0])


def test_a_boot_config_may_name_every_placeholder_and_a_date(admin: Client, pool: list[Device]) -> None:
    path = f"/admin/devices/bootconfig/{BootConfig.objects.earliest('pk').pk}/change/"
    text = "".join(f"%{name}% " for name in PLACEHOLDERS) + "$(date +%Y%m%d-%H%M%S)"
    assert send(admin, path, {**load(admin, path), "second_stage": text}).status_code == 302


def test_the_placeholders_are_those_that_are_filled_in() -> None:
    assert PLACEHOLDERS == netboot.PLACEHOLDERS


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"driver": "proxy"}, "driver", "unknown power driver 'proxy'; known are: "),
        ({"address": "relay 1"}, "address", "neither a host name nor an IPv4 address"),
        ({"address": "relay:99999"}, "address", "not between 1 and 65535"),
        ({"stagger_seconds": "6"}, "stagger_seconds", "less than or equal to 5"),
        ({"stagger_seconds": "nan"}, "stagger_seconds", "Enter a number"),
    ],
)
def test_a_power_controller_that_cannot_be(
    admin: Client, pool: list[Device], change: dict[str, str], field: str, words: str
) -> None:
    controller = PowerController.objects.earliest("pk")
    told = refused(admin, f"/admin/devices/powercontroller/{controller.pk}/change/", change)
    assert words in " ".join(told.get(field, [])), told
