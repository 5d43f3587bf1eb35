"""What this process knows of all devices for a moment: their states, and since which look each is as it is.

One cheap fingerprint of the table each 0.4 s, for all open pages together; the rows are read only when it differs.
A version is a digest of what is known, so it means the same in every web process.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max, Sum

from devices.models import Device
from requests_app.memory import Memory

# Versions whose differences are remembered; a page asks each 1.5 s, a busy pool changes each 0.4 s.
_MOST_REMEMBERED = 100
# Seconds after which the rows are read even so: a fingerprint shows every step of a machine, but not a new name.
_LONGEST = 10.0


@dataclass(frozen=True)
class Seen:
    """What is shown of a device everywhere."""

    state: str
    held_by: int | None
    since: datetime
    rack_id: int


@dataclass(frozen=True)
class Pool:
    """All devices by name. `changed` says at which look each was last found to differ."""

    version: str
    look: int
    devices: Mapping[str, Seen]
    changed: Mapping[str, int]


@dataclass
class _Looks:
    """The looks of this process so far."""

    pool: Pool = field(default_factory=lambda: Pool("", 0, {}, {}))
    fingerprint: tuple[object, ...] = ()
    looked: float = 0.0
    versions: OrderedDict[str, int] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_looks = _Looks()


def _read(now: datetime) -> Pool:
    with _looks.lock:
        seen = Device.objects.aggregate(
            number=Count("pk"), last=Max("pk"), seq=Sum("state_seq"), held=Count("held_by"), by=Sum("held_by"),
            since=Max("state_since"), racks=Sum("rack_id"),
        )  # fmt: skip
        fingerprint = tuple(seen.values())
        if fingerprint != _looks.fingerprint or time.monotonic() - _looks.looked > _LONGEST:
            _looks.pool = _look(_looks.pool)
            _looks.fingerprint, _looks.looked = fingerprint, time.monotonic()
            _looks.versions[_looks.pool.version] = _looks.pool.look
            _looks.versions.move_to_end(_looks.pool.version)
            while len(_looks.versions) > _MOST_REMEMBERED:
                _looks.versions.popitem(last=False)
        return _looks.pool


def _look(before: Pool) -> Pool:
    columns = Device.objects.order_by("name").values_list(
        "name", "state", "held_by", "state_since", "rack_id"
    )
    devices = {row[0]: Seen(*row[1:]) for row in columns}
    digest = hashlib.sha256()
    for name, one in devices.items():
        digest.update(f"{name} {one.state} {one.held_by} {one.since} {one.rack_id}\n".encode())
    look = before.look + 1
    changed = {
        name: before.changed.get(name, look) if before.devices.get(name) == one else look
        for name, one in devices.items()
    }
    return Pool(digest.hexdigest()[:16], look, devices, changed)


pool: Memory[Pool] = Memory(_read, 0.4)


def changed_since(now: Pool, version: str) -> list[str]:
    """Name the devices that changed since a version; all of them for a version that this process has not seen."""
    look = _looks.versions.get(version)
    if look is None:
        return list(now.devices)
    return [name for name, when in now.changed.items() if when > look]


def forget() -> None:
    """Look anew the next time."""
    pool.forget()
    _looks.fingerprint = ()
