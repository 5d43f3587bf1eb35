"""What one record asks for, checked by itself: what would change, and what stands against it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from devices.addresses import why_not_in
from devices.inventory.planning import Change, Stored, StoredDevice
from devices.inventory.records import NEEDED, Record

# What belongs to one device at a time: (what, value).
Key = tuple[str, str]
_EMPTY: Mapping[str, object] = {
    "address": None,
    "inventory_id": None,
    "power_controller": None,
    "outlet": "",
    "tags": (),
}


@dataclass(frozen=True)
class Draft:
    """A record, the device that it means (None: a new one), and what would change. `reasons` stand against it."""

    record: Record
    device: StoredDevice | None
    changes: tuple[Change, ...]
    keys: frozenset[Key]
    reasons: tuple[str, ...]

    @property
    def pk(self) -> int | None:
        """The device's primary key, if it is stored."""
        return self.device.pk if self.device else None

    @property
    def loses_power(self) -> bool:
        """Whether nothing could switch the device from then on, as somebody may not have meant."""
        before = self.device.values if self.device else _EMPTY
        after = {**before, **self.record.values}
        return not after.get("outlet") and (self.device is None or bool(before.get("outlet")))

    @property
    def name(self) -> str:
        """What people call it, now or from then on."""
        return self.record.name or (self.device.name if self.device else "")


def keys_of(values: Mapping[str, object]) -> frozenset[Key]:
    """Give what a device with these values has for itself alone."""
    keys = {("name", str(values["name"]).casefold()), ("MAC", str(values["mac"]))}
    if values.get("power_controller") and values.get("outlet"):
        keys.add(("outlet", f"{values['power_controller']} {values['outlet']}"))
    return frozenset(keys)


def draft(record: Record, device: StoredDevice | None, stored: Stored, twice: Counter[Key]) -> Draft:
    """Work out what a record asks for; `twice` counts in how many records each name, MAC, outlet and id is."""
    before: Mapping[str, object] = device.values if device else _EMPTY
    after = {**before, **record.values}
    changes = tuple(
        Change(field, before.get(field), value)
        for field, value in record.values.items()
        if before.get(field) != value
    )
    reasons = [*record.problems, *_twice(record, twice)]
    if not record.problems:
        reasons += [
            f"{field}: missing, and a new device needs it" for field in NEEDED if not after.get(field)
        ]
        reasons += _misfits(after, {change.field for change in changes}, stored)
    usable = not reasons
    return Draft(record, device, changes, keys_of(after) if usable else frozenset(), tuple(reasons))


def count(records: Iterable[Record]) -> Counter[Key]:
    """Count in how many records each name, MAC, outlet and inventory id is."""
    return Counter(key for record in records for key in _claimed(record))


def _claimed(record: Record) -> Iterable[Key]:
    for field, word in (("name", "name"), ("mac", "MAC"), ("inventory_id", "inventory id")):
        if (value := record.values.get(field)) is not None:
            yield word, str(value).casefold()
    if record.values.get("power_controller") and record.values.get("outlet"):
        yield "outlet", f"{record.values['power_controller']} {record.values['outlet']}"


def _twice(record: Record, twice: Counter[Key]) -> list[str]:
    return [
        f"{word} {record.name if word == 'name' else value} is in {twice[word, value]} records"
        for word, value in _claimed(record)
        if twice[word, value] > 1
    ]


def _misfits(after: Mapping[str, object], changed: set[str], stored: Stored) -> Sequence[str]:
    """Say what doesn't fit what is stored; what the source leaves as it is, is not its fault."""
    rack, hardware = str(after.get("rack")), str(after.get("hardware_type"))
    found = []
    if "rack" in changed and rack not in stored.racks:
        found.append(f"rack: there is no rack {rack}; add it in the admin first")
    servers = {address: name for name, address in stored.racks.items()}
    for field in ("address", "fqdn"):
        if after.get(field) and changed & {field, "rack"} and rack in stored.racks:
            why = why_not_in(str(after[field]), stored.racks[rack], servers)
            found += [f"{field}: {why}"] if why else []
    if "hardware_type" in changed and hardware not in stored.hardware:
        found.append(f"hardware_type: there is no hardware type {hardware}; add it in the admin first")
    # Who has no such rack has nothing in it either: one sentence is enough.
    if changed & {"rack", "power_controller", "outlet"} and rack in stored.racks:
        found += _power_misfits(after, stored)
    return found


def _power_misfits(after: Mapping[str, object], stored: Stored) -> list[str]:
    name, outlet = after.get("power_controller"), str(after.get("outlet") or "")
    if name is None:
        return ["outlet: needs a power controller that it belongs to"] if outlet else []
    if not outlet:
        return [f"outlet: which outlet of {name}?"]
    controller = stored.controllers.get(str(name))
    if controller is None:
        return [f"power_controller: there is no {name}; add it in the admin first"]
    if controller.rack != after.get("rack"):
        return [f"power_controller: {name} is in rack {controller.rack}, not in {after.get('rack')}"]
    wrong = stored.check_outlet(controller.driver, outlet)
    return [f"outlet: {wrong}"] if wrong else []
