"""What the home page shows, as plain values: they can be compared, so that an open page hears of changes only."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from devices.models import Rack
from pages.families import Family
from pages.racks.places import Cell

MOST_RACKS = 40


@dataclass(frozen=True)
class Share:
    """How many are in a family, where they are listed, and which part of all they are: `width` of 1000, from `x`."""

    family: Family
    number: int
    link: str
    x: int = 0
    width: int = 0


@dataclass(frozen=True)
class Waits:
    """A request that waits: for what, since when and until when, why, and about how many seconds more."""

    number: int
    assignee: str
    image: str
    since: datetime
    until: datetime
    why: str
    estimate: int | None


@dataclass(frozen=True)
class Broke:
    """A device that failed in the last day."""

    name: str
    state: str
    since: datetime


@dataclass(frozen=True)
class Requests:
    """The first layer: open requests by family, and those that wait longest."""

    open: tuple[Share, ...]
    longest: datetime | None
    waiting: tuple[Waits, ...]

    @property
    def total(self) -> int:
        """How many are open."""
        return sum(share.number for share in self.open)

    @property
    def more(self) -> int:
        """How many wait besides those that are listed."""
        waiting = sum(share.number for share in self.open if share.family.name == "waiting")
        return max(0, waiting - len(self.waiting))


@dataclass(frozen=True)
class Devices:
    """The second layer: devices by family, and those that failed lately, the last one first."""

    shares: tuple[Share, ...]
    total: int
    broke: tuple[Broke, ...]
    broke_more: int


@dataclass(frozen=True)
class Hardware:
    """The third layer: operations under way, and what can't be reached. `due` is since when the oldest could begin."""

    queued: int
    running: int
    due: datetime | None
    controllers: int
    suspect: int
    silent: int
    hand_tasks: int
    racks: tuple[Rack, ...]
    racks_down: frozenset[int]


@dataclass(frozen=True)
class Day:
    """What the last day gave: requests filed and given up, installations tried and failed, images that failed most."""

    filed: int
    gave_up: tuple[tuple[str, int], ...]
    installs: int
    failed_installs: int
    images: tuple[tuple[str, int], ...]

    @property
    def gave_up_total(self) -> int:
        """How many requests ended without a device that works."""
        return sum(number for _, number in self.gave_up)


@dataclass(frozen=True)
class Glance:
    """All of it, as it was at one moment; `cells` are the devices of the racks that are shown.

    `version` is that of all devices (pages/shell/changes.py).
    """

    requests: Requests
    devices: Devices
    hardware: Hardware
    day: Day
    cells: tuple[Cell, ...] = field(repr=False)
    version: str = field(repr=False)

    @property
    def racks(self) -> tuple[Rack, ...]:
        """The racks that are shown; more are on the page of racks."""
        return self.hardware.racks[:MOST_RACKS]

    @cached_property
    def whole_version(self) -> str:
        """The version of all that the page shows: that of devices, and of the cards after a dot."""
        return f"{self.version}.{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}"
