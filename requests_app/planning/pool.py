"""What the pool is made of, to those who decide about it: devices that no request can tell apart, and wishes."""

from dataclasses import dataclass

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
