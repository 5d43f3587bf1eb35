"""Short words for the stories of a plan: what is stored, what a source says, and what comes of it."""

from typing import Any

from devices.inventory.plan import make_plan
from devices.inventory.planning import Controller, Plan, Scope, Stored, StoredDevice
from devices.inventory.records import Record, read


def values(number: int, **changed: Any) -> dict[str, Any]:
    """Give all that a source may say of device number so and so."""
    return {
        "name": f"panda-{number}",
        "fqdn": f"panda-{number}.lab.example",
        "address": f"10.1.{number // 200}.{number % 200 + 1}",
        "mac": f"02:00:00:00:{number // 256:02x}:{number % 256:02x}",
        "inventory_id": number,
        "rack": "p1",
        "hardware_type": "panda es-b3",
        "power_controller": "relay-1",
        "outlet": f"bank1:relay{number}",
        "environment": "production",
        "tags": "hdmi usb",
        **changed,
    }


def says(number: int, **changed: Any) -> Record:
    """Give a record of device number so and so."""
    return read(values(number, **changed), f"line {number}")


def device(number: int, *, source: str = "lab", gone: bool = False, **columns: Any) -> StoredDevice:
    """Give the same device as it is stored; `state` and `held_by` are its machine's."""
    machine = {name: columns.pop(name) for name in ("state", "held_by") if name in columns}
    record = says(number, **columns)
    assert record.problems == ()
    return StoredDevice(number, dict(record.values), source, gone, **machine)


def pool(*devices: StoredDevice) -> Stored:
    """Give what is stored: these devices in two racks, with a relay board each."""
    controllers = {"relay-1": Controller("p1", "proxr"), "relay-2": Controller("p2", "proxr")}
    return Stored(
        devices,
        {"p1": "10.1.9.250", "p2": "10.2.9.250"},
        frozenset({"panda es-b3"}),
        controllers,
        lambda driver, outlet: None if outlet.startswith("bank") else f"{driver} knows no outlet {outlet}",
    )


def plan(stored: Stored, *records: Record, **scope: Any) -> Plan:
    """Plan by what the source `lab` says."""
    return make_plan(stored, records, Scope("lab", **scope))


def reasons(made: Plan) -> dict[str, tuple[str, ...]]:
    """Give why records were refused, by name."""
    return {one.name: one.reasons for one in made.refused}
