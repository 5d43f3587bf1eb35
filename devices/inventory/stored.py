"""Reads what is stored, as far as an inventory is concerned, in few queries."""

from collections.abc import Callable

from devices.inventory.planning import Controller, Stored, StoredDevice
from devices.inventory.records import FIELDS
from devices.models import Device, HardwareType, PowerController, Rack

_PLAIN = tuple(name for name in FIELDS if name not in ("rack", "hardware_type", "power_controller", "tags"))


def stored(check_outlet: Callable[[str, str], str | None]) -> Stored:
    """Read all devices and what they refer to, in four queries however many there are."""
    addresses = {
        pk: (name, address) for pk, name, address in Rack.objects.values_list("pk", "name", "address")
    }
    racks = {pk: name for pk, (name, _) in addresses.items()}
    hardware = {
        pk: f"{kind} {model}" for pk, kind, model in HardwareType.objects.values_list("pk", "kind", "model")
    }
    rows = PowerController.objects.values_list("pk", "name", "rack_id", "driver")
    controllers = {pk: (name, Controller(racks.get(rack, ""), driver)) for pk, name, rack, driver in rows}
    columns = (
        "pk", *_PLAIN, "tags", "rack_id", "hardware_type_id", "power_controller_id",
        "inventory_source", "gone_since", "state", "held_by",
    )  # fmt: skip
    devices = []
    for row in Device.objects.order_by().values(*columns):
        values: dict[str, object] = {name: row[name] for name in _PLAIN}
        values["tags"] = tuple(sorted(row["tags"]))
        values["rack"] = racks.get(row["rack_id"], "")
        values["hardware_type"] = hardware.get(row["hardware_type_id"], "")
        controller = row["power_controller_id"]
        values["power_controller"] = controllers[controller][0] if controller in controllers else None
        devices.append(
            StoredDevice(
                row["pk"],
                values,
                row["inventory_source"],
                row["gone_since"] is not None,
                row["state"],
                row["held_by"],
            )
        )
    return Stored(
        tuple(devices),
        dict(addresses.values()),
        frozenset(hardware.values()),
        dict(controllers.values()),
        check_outlet,
    )
