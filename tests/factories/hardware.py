"""Racks, power controllers and devices."""

from datetime import timedelta
from itertools import count
from typing import Any

from devices.models import Device, PowerController, Rack
from mozpool_site import clock
from tests.factories.images import make_hardware

_numbers = count(1)


def make_rack(name: str = "p1", **columns: Any) -> Rack:
    """Make a rack, or give the one of that name."""
    rack, _ = Rack.objects.get_or_create(
        name=name, defaults={"imaging_server": "localhost", "address": "127.0.0.1", **columns}
    )
    return rack


def make_controller(
    address: str = "127.0.0.1:1", *, rack: Rack | None = None, **columns: Any
) -> PowerController:
    """Make a relay board; at the address that is given unless told otherwise, nobody listens."""
    number = next(_numbers)
    return PowerController.objects.create(
        name=f"relay-{number}", rack=rack or make_rack(), address=address, **columns
    )


def make_device(**columns: Any) -> Device:
    """Make a device that is ready and free, without power control; any column may be given."""
    return make_devices(1, **columns)[0]


def make_devices(number: int, **columns: Any) -> list[Device]:
    """Make many devices alike."""
    now = clock.now()
    ordinary: dict[str, Any] = {
        "rack": columns.get("rack") or make_rack(),
        "hardware_type": make_hardware(),
        "environment": "production",
        "state": "ready",
        "deadline": now + timedelta(seconds=600),
        "address": "127.0.0.1",
        **columns,
    }
    if ordinary["state"] == "ready" and ordinary.get("held_by") is None:
        ordinary.setdefault("idle_since", now)
    if ordinary.get("image") is not None:
        ordinary.setdefault("boot_config", "{}")
    devices = [Device(**{**_named(next(_numbers)), **ordinary}) for _ in range(number)]
    Device.objects.bulk_create(devices, batch_size=500)
    return devices


def change(*devices: Device, **columns: Any) -> None:
    """Change columns of devices as whoever edits one does, with what follows from them."""
    for device in devices:
        for name, value in columns.items():
            setattr(device, name, value)
        device.save(update_fields=columns)


def _named(number: int) -> dict[str, str]:
    name = f"panda-{number:05d}"
    return {"name": name, "fqdn": f"{name}.lab.example", "mac": f"02{number:010x}"}
