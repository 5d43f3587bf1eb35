"""What the pool is made of, to those who decide about it: devices, the kinds of them, and wishes."""

from dataclasses import dataclass
from datetime import datetime

ANY = "any"


@dataclass(frozen=True)
class Kind:
    """Devices that no request can tell apart, but by their names."""

    environment: str
    hardware_type_id: int
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wish:
    """What requests want that may have the same devices. `kind` is that of the device of the id `device_id`."""

    hardware: frozenset[int]
    environment: str = ANY
    tags: frozenset[str] = frozenset()
    device_id: int | None = None
    kind: Kind | None = None


@dataclass(frozen=True)
class DeviceSnapshot:
    """What decides whether a device serves anybody, as it was at a moment.

    `held_until` is when the lease of its holder ends, where that is known; `suspect_until` until when its power
    controller is to blame for what fails on it. `quarantined`: by a person. `gone`: from its inventory.
    """

    state: str
    held: bool = False
    held_until: datetime | None = None
    rack_silent: bool = False
    suspect_until: datetime | None = None
    quarantined: bool = False
    gone: bool = False
