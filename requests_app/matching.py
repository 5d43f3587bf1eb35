"""Which kinds of devices for which request, and whose turn it is, decided purely; a waiting request is a demand."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from requests_app.planning.pool import ANY, Kind, Wish

LOWEST_PRIORITY, HIGHEST_PRIORITY = -10, 10
# A point of priority counts like having waited for so long already. The whole range is ten minutes: who has waited for
# so long is served before all who come later, however urgent.
AGEING = timedelta(seconds=30)


@dataclass(frozen=True)
class Demand:
    """What a request wants, and its turn. `hardware` are the types that will do: for its image, and for itself."""

    request_id: int
    turn: datetime
    image_id: int
    boot_config: str
    reusable: bool
    hardware: frozenset[int]
    environment: str = ANY
    tags: frozenset[str] = frozenset()
    device_id: int | None = None


def turn(filed: datetime, priority: int) -> datetime:
    """Give the moment by which a request is in line: when it was filed, set back by its priority."""
    return filed - priority * AGEING


def wish_number(
    *, image_id: int, environment: str, hardware_id: int | None, tags: Iterable[str], device_id: int | None
) -> int:
    """Return the number that requests have in common that the same devices can serve; below zero: one named device."""
    if device_id is not None:
        return -device_id
    wanted = json.dumps([image_id, environment, hardware_id, sorted(tags)])
    # As much of a digest as a column of a signed whole number takes; two wishes in 2**63 look alike, and 0 is none.
    return int.from_bytes(hashlib.sha256(wanted.encode()).digest()[:8]) >> 1 or 1


def suits(demand: Demand | Wish, kind: Kind) -> bool:
    """Whether devices of a kind can serve a request that does not name another one."""
    if demand.environment not in (ANY, kind.environment):
        return False
    if not demand.tags <= kind.tags:
        return False
    # Even where the image is on the device already: it may be lost, and must be installed again then.
    return kind.hardware_type_id in demand.hardware


def competes(one: Wish, other: Wish, kinds: Iterable[Kind]) -> bool:
    """Whether there is a device, of `kinds` or named by one of them, that either may get."""
    if one.device_id is not None and other.device_id is not None:
        return one.device_id == other.device_id
    named = one.kind or other.kind
    if named is not None:
        return suits(one, named) and suits(other, named)
    return any(suits(one, kind) and suits(other, kind) for kind in kinds)
