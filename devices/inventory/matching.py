"""Finds for each record the stored device that it means: by inventory id, then by name, then by MAC."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devices.inventory.planning import StoredDevice
from devices.inventory.records import Record

# In this order; the first that finds a device that no other record has found.
KEYS = ("inventory_id", "name", "mac")


@dataclass(frozen=True)
class Matches:
    """Pairs of records and devices (None: not stored), and the devices that some record names in some way."""

    pairs: tuple[tuple[Record, StoredDevice | None], ...]
    mentioned: frozenset[int]
    # Records that name nothing by which a device could be known.
    unreadable: int


def match(records: Sequence[Record], devices: Iterable[StoredDevice]) -> Matches:
    """Find them. A value that several devices or records share finds nobody."""
    known = list(devices)
    found: dict[int, StoredDevice] = {}
    taken: set[int] = set()
    mentioned: set[int] = set()
    for key in KEYS:
        owners = _owners(known, key)
        sharing = Counter(record.values.get(key) for record in records)
        for place, record in enumerate(records):
            value = record.values.get(key)
            device = owners.get(value)
            if value is None or device is None:
                continue
            mentioned.add(device.pk)
            if place not in found and device.pk not in taken and sharing[value] == 1:
                found[place] = device
                taken.add(device.pk)
    pairs = tuple((record, found.get(place)) for place, record in enumerate(records))
    unreadable = sum(all(record.values.get(key) is None for key in KEYS) for record in records)
    return Matches(pairs, frozenset(mentioned), unreadable)


def _owners(devices: Sequence[StoredDevice], key: str) -> dict[object, StoredDevice]:
    """Give devices by a value that is theirs alone."""
    sharing = Counter(device.values.get(key) for device in devices)
    return {
        device.values[key]: device
        for device in devices
        if device.values.get(key) is not None and sharing[device.values[key]] == 1
    }
