"""Rows and a description for a simulated lab: racks of Pandaboards on loopback addresses.

Production code knows nothing of the simulation: the rows simply point at it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from django.conf import settings
from django.db import transaction

from devices.models import BootConfig, Device, HardwareType, Image, ImageBootConfig, PowerController, Rack
from devices.models.image import MAINTENANCE, SELF_TEST, Verification
from mozpool_site import clock
from mozpool_site.errors import InvalidInputError

OUTLETS = [f"bank{bank}:relay{relay}" for bank in range(1, 5) for relay in range(1, 9)]
READY_TIMEOUT = timedelta(seconds=600)

_PXELINUX = """DEFAULT {action}
LABEL {action}
  KERNEL panda/vmlinuz
  INITRD panda/live.gz
  APPEND console=ttyO2 mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage
"""
_SECOND_STAGE = """#!/bin/sh
# Tells the live image of a simulated board what to do; it calls home below MOZPOOL_URL.
MOZPOOL_URL='%BASEURL%/boot/%DEVICE%/%TOKEN%'
MOZPOOL_ACTION='{action}'
MOZPOOL_IMAGE='{image}'
"""


@dataclass(frozen=True)
class LabPlan:
    """How big, and where. `network` is a part of 127.0.0.0/8 that holds all addresses."""

    racks: int
    devices: int
    network: IPv4Network
    start_new: bool = False
    installed: str | None = "android"

    def check(self) -> None:
        """Raise InvalidInputError where the plan can't be."""
        if not 1 <= self.racks <= self.devices:
            raise InvalidInputError("at least one rack, and a device for each, please", field="racks")
        if not self.network.subnet_of(IPv4Network("127.0.0.0/8")):
            raise InvalidInputError(f"{self.network} is not a part of 127.0.0.0/8", field="network")
        needed = 2 * self.devices + 256
        if self.network.num_addresses < needed:
            raise InvalidInputError(
                f"{self.network} is too small: {needed} addresses needed", field="network"
            )


# name: verification, port, keys, reusable, hidden, action
_IMAGES: dict[str, tuple[Verification, int | None, list[str], bool, bool, str]] = {
    "b2g": (Verification.AGENT, None, ["b2gbase"], True, False, "install"),
    "android": (Verification.TCP, 5555, [], True, False, "install"),
    "linux": (Verification.AGENT, None, [], False, False, "install"),
    SELF_TEST: (Verification.NONE, None, [], False, True, "self-test"),
    MAINTENANCE: (Verification.NONE, None, [], False, True, "maintenance"),
}


@transaction.atomic
def seed(plan: LabPlan) -> list[Device]:
    """Write the rows of a lab into an empty pool; give its devices. Raises InvalidInputError.

    The pool must hold no device yet: a simulated rack has no business in a real pool.
    """
    plan.check()
    if Device.objects.exists():
        raise InvalidInputError(
            "the pool has devices already; a lab is seeded into an empty one", field="devices"
        )
    now = clock.now()
    panda, _ = HardwareType.objects.get_or_create(kind="panda", model="es-b3")
    images = {name: _image(name, panda) for name in _IMAGES}
    addresses = _addresses(plan.network)
    devices: list[Device] = []
    controllers: list[PowerController] = []
    for number in range(1, plan.racks + 1):
        rack = Rack.objects.create(
            name=f"p{number}",
            imaging_server="localhost",
            address="127.0.0.1",
            vlan_note="simulated",
        )
        size = plan.devices * number // plan.racks - plan.devices * (number - 1) // plan.racks
        boards = [
            PowerController(
                name=f"relay-{number}-{board}", rack=rack, driver="proxr", address=f"{next(addresses)}:2101"
            )
            for board in range(1, -(-size // len(OUTLETS)) + 1)
        ]
        controllers += PowerController.objects.bulk_create(boards)
        for place in range(size):
            board = controllers[len(controllers) - len(boards) + place // len(OUTLETS)]
            devices.append(
                _device(len(devices) + 1, rack, panda, board, OUTLETS[place % len(OUTLETS)], next(addresses))
            )
    installed = images[plan.installed] if plan.installed else None
    for device in devices:
        _begin(device, plan, installed, now)
    return Device.objects.bulk_create(devices, batch_size=1000)


def describe(speed: float, control: str, faults: dict[str, float], seed_number: int = 1) -> dict[str, Any]:
    """Describe the pool as it is stored for `python -m simlab`."""
    devices = Device.objects.select_related("power_controller", "image").order_by("pk")
    return {
        "seed": seed_number,
        "speed": speed,
        "workers": 2,
        "tftp_root": str(settings.MOZPOOL_TFTP_ROOT),
        "control": control,
        "images": {
            "b2g": {"agent": True},
            "android": {"tcp": [5555]},
            "linux": {"agent": True},
        },
        "faults": faults,
        "relay_boards": [
            {"name": board.name, "host": board.address.partition(":")[0], "port": 2101}
            for board in PowerController.objects.order_by("pk")
        ],
        "devices": [
            {
                "name": device.name,
                "mac": device.mac,
                "address": device.address,
                "relay_board": device.power_controller.name if device.power_controller else None,
                "outlet": device.outlet,
                "image": device.image.name if device.image else None,
                "power": True,
            }
            for device in devices.iterator(chunk_size=1000)
        ],
    }


def _image(name: str, hardware: HardwareType) -> Image:
    verification, port, keys, reusable, hidden, action = _IMAGES[name]
    image, _ = Image.objects.update_or_create(
        name=name,
        defaults={
            "verification": verification,
            "verify_port": port,
            "boot_config_keys": keys,
            "reusable": reusable,
            "hidden": hidden,
            "settle_seconds": 5,
            "version_notes": "Simulated.",
        },
    )
    boot_config, _ = BootConfig.objects.update_or_create(
        name=f"panda-{name}",
        defaults={
            "description": f"{name} on a simulated Pandaboard",
            "contents": _PXELINUX.format(action=action),
            "second_stage": _SECOND_STAGE.format(action=action, image=name),
        },
    )
    ImageBootConfig.objects.update_or_create(
        image=image, hardware_type=hardware, defaults={"boot_config": boot_config}
    )
    return image


def _device(
    number: int, rack: Rack, hardware: HardwareType, board: PowerController, outlet: str, address: IPv4Address
) -> Device:
    name = f"panda-{number:04d}"
    return Device(
        name=name,
        fqdn=f"{name}.{rack.name}.lab.example",
        address=str(address),
        mac=f"0200{int(address):08x}",
        inventory_id=number,
        rack=rack,
        hardware_type=hardware,
        power_controller=board,
        outlet=outlet,
        environment="production" if number % 4 else "staging",
    )


def _begin(device: Device, plan: LabPlan, installed: Image | None, now: datetime) -> None:
    """Put a device into its first state; the checks of idle devices are spread over their ten minutes."""
    if installed:
        device.image, device.boot_config = installed, "{}"
    device.deadline = now
    if not plan.start_new:
        device.state = "ready"
        device.idle_since = now
        device.deadline = now + READY_TIMEOUT * random.random()  # noqa: S311 - spreads load, guards nothing


def _addresses(network: IPv4Network) -> Iterator[IPv4Address]:
    return (address for address in network if int(address) & 0xFF not in (0, 255))
