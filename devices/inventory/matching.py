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


def match(records: Sequence[Record], devices: Iterable[StoredDevice], source: str) -> Matches:
    """Find them. A value that several devices or records share finds nobody.

    An inventory id means something within its source only: it finds no device of another's, nor one of people's.
    """
    known = list(devices)
    found: dict[int, StoredDevice] = {}
    taken: set[int] = set()
    for key in KEYS:
        owners = _owners([one for one in known if key != "inventory_id" or one.source == source], key)
        sharing = Counter(record.values.get(key) for record in records)
        for place, record in enumerate(records):
            value = record.values.get(key)
            device = owners.get(value)
            if value is None or device is None:
                continue
            if place not in found and device.pk not in taken and sharing[value] == 1:
                found[place] = device
                taken.add(device.pk)
    pairs = tuple((record, found.get(place)) for place, record in enumerate(records))
    unreadable = sum(all(record.values.get(key) is None for key in KEYS) for record in records)
    return Matches(pairs, _mentioned(records, known, source), unreadable)


def _mentioned(records: Iterable[Record], devices: Iterable[StoredDevice], source: str) -> frozenset[int]:
    """Give the devices of which a record has a name, written in whatever case, a MAC, or an id of its source."""
    told = {(key, _plain(record.values.get(key))) for record in records for key in KEYS}
    return frozenset(
        device.pk
        for device in devices
        for key in KEYS
        if (key != "inventory_id" or device.source == source)
        and device.values.get(key) is not None
        and (key, _plain(device.values[key])) in told
    )


def _plain(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _owners(devices: Sequence[StoredDevice], key: str) -> dict[object, StoredDevice]:
    """Give devices by a value that is theirs alone."""
    sharing = Counter(device.values.get(key) for device in devices)
    return {
        device.values[key]: device
        for device in devices
        if device.values.get(key) is not None and sharing[device.values[key]] == 1
    }
