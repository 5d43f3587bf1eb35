"""The pool that exchanges.json was recorded on, and the people who call it."""

import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from devices.models import BootConfig, Device, HardwareType, Image, ImageBootConfig, PowerController, Rack
from mozpool_site import clock

SCRIPT = """#!/bin/sh
MOZPOOL_URL='%BASEURL%/boot/%DEVICE%/%TOKEN%'
MOZPOOL_IMAGE='{image}'
"""

# name, state, image, environment, inventory id, mac, rack, controller, outlet
RECORDED = (
    ("device1", "ready", "android", "even", 1111, "000000000000", "here", "relay-1", "bank1:relay1"),
    ("device2", "ready", "android", "odd", 2222, "000000000001", "here", "relay-1", "bank1:relay2"),
    ("device3", "ready", "android", "even", 3333, "000000000002", "here", "relay-1", "bank1:relay3"),
    ("device4", "ready", "android", "odd", 4444, "000000000003", "here", "relay-1", "bank1:relay4"),
    ("otherdev", "ready", None, "any2", 9, "00000000aaaa", "there", "relay-other", "bank1:relay1"),
    ("norelay", "new", None, "odd", 10, "00000000aaab", "here", "relay-dead", "bank1:relay1"),
    ("baddev", "failed_self_test", None, "odd", 11, "00000000aaac", "here", "relay-dead", "bank1:relay2"),
)


def build() -> None:
    """Write the recorded pool; device N of the list above has the address 127.9.0.N."""
    panda = HardwareType.objects.create(kind="panda", model="es-b3")
    racks = {
        "here": Rack.objects.create(name="here", imaging_server="mozpool.example", address="10.0.0.1"),
        "there": Rack.objects.create(name="there", imaging_server="other.server:1234", address="10.0.0.2"),
    }
    addresses = {"relay-1": "relay-1.example:2101", "relay-other": "localhost:1", "relay-dead": "nonlocal:1"}
    controllers = {
        name: PowerController.objects.create(name=name, rack=racks["here"], address=address)
        for name, address in addresses.items()
    }
    images = {
        "b2g": _image("b2g", ["b2gbase"], panda, reusable=False),
        "android": _image("android", [], panda, reusable=True),
    }
    _image("self-test", [], panda, reusable=False)
    _image("maintenance", [], panda, reusable=False)
    now = clock.now()
    for number, (name, state, image, environment, inventory, mac, rack, controller, outlet) in enumerate(
        RECORDED, 1
    ):
        Device.objects.create(
            pk=number,
            name=name,
            fqdn="bad.fqdn" if name == "baddev" else f"{name}.fqdn",
            address=f"127.9.0.{number}",
            mac=mac,
            inventory_id=inventory,
            rack=racks[rack],
            hardware_type=panda,
            power_controller=controllers[controller],
            outlet=outlet,
            environment=environment,
            state=state,
            image=images[image] if image else None,
            boot_config="{}" if image else "",
            idle_since=now - timedelta(minutes=20 - number) if state == "ready" else None,
            deadline=now + timedelta(minutes=5) if state == "ready" else None,
        )


def person(name: str, group: str | None, *, enforce_csrf_checks: bool = False) -> Client:
    """Give a client with the session of a new user in a group."""
    user = User.objects.create(username=name)  # a session needs no password, and hashing one takes long
    if group:
        user.groups.add(Group.objects.get_or_create(name=group)[0])
    client = Client(enforce_csrf_checks=enforce_csrf_checks)
    client.force_login(user)
    return client


def at(address: str, **headers: str) -> Client:
    """Give a client without credentials at an address."""
    return Client(REMOTE_ADDR=address, headers=headers)


def post(client: Client, path: str, body: object = None, kind: str = "application/json") -> Any:
    """Post JSON as text, whatever it is called; nothing at all for None, where Django's client would send a form."""
    return client.generic("POST", path, "" if body is None else json.dumps(body), content_type=kind)


def _image(name: str, keys: list[str], hardware: HardwareType, *, reusable: bool) -> Image:
    image = Image.objects.create(
        name=name, boot_config_keys=keys, reusable=reusable, verification="tcp", verify_port=5555
    )
    boot_config = BootConfig.objects.create(
        name=f"fake-{name}",
        description=f"fake {name} config",
        contents="mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage",
        second_stage=SCRIPT.format(image=name),
    )
    ImageBootConfig.objects.create(image=image, hardware_type=hardware, boot_config=boot_config)
    return image
