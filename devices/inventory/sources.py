"""Reads a declared source to its end, whatever its kind; and what is stored, in few queries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from devices.inventory import files, paths
from devices.inventory.declared import Source, fields_of
from devices.inventory.errors import NoAnswerError
from devices.inventory.netbox import from_netbox
from devices.inventory.planning import Controller, Stored, StoredDevice
from devices.inventory.records import FIELDS, Record
from devices.inventory.web import from_http
from devices.models import Device, HardwareType, PowerController, Rack

_PLAIN = tuple(name for name in FIELDS if name not in ("rack", "hardware_type", "power_controller", "tags"))


def read(source: Source, content: bytes | None = None) -> list[Record]:
    """Give all records of a source; `content` is what a file holds, where it was sent to us.

    Raises NoAnswerError for silence, junk, a part of the answer, and for no device at all.
    """
    items = _items(source, content)
    if not items:
        raise NoAnswerError(f"{source.name} lists no device at all: nothing is changed")
    strict = bool(source.fields)
    if not strict and source.kind in ("csv", "yaml"):
        _check_columns(items)
    return paths.records(items, fields_of(source), source.defaults, strict=strict)


def _items(source: Source, content: bytes | None) -> list[tuple[str, Any]]:
    if source.kind == "netbox":
        return from_netbox(source)
    if source.kind == "http":
        return from_http(source)
    if content is None:
        try:
            with Path(source.path).open("rb") as file:
                content = file.read(files.MOST_BYTES + 1)
        except OSError as error:
            raise NoAnswerError(f"{source.path} can't be read: {error.strerror}") from None
    return files.from_csv(content) if source.kind == "csv" else files.from_yaml(content)


def _check_columns(items: list[tuple[str, Any]]) -> None:
    """Refuse columns that we don't know: one with a letter too many would be left out in silence.

    Other columns of a device, as our own export has them, are machines' or people's, and passed over.
    """
    known = {*FIELDS, *(column.name for column in Device._meta.concrete_fields)}
    unknown = sorted({str(name) for _, item in items for name in item} - known)
    if unknown:
        raise NoAnswerError(f"{unknown[0]!r} is no field; there are {', '.join(FIELDS)}")


def stored(check_outlet: Callable[[str, str], str | None]) -> Stored:
    """Read all devices and what they refer to, in four queries however many there are."""
    racks = dict(Rack.objects.values_list("pk", "name"))
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
        frozenset(racks.values()),
        frozenset(hardware.values()),
        dict(controllers.values()),
        check_outlet,
    )
