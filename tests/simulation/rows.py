"""The rows of the simulated database: the columns that decide something, and no others."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mozpool_site.statemachine.machine import Snapshot

OPEN = ("queued", "running")
POWER = "power_cycle"


class Broken(AssertionError):
    """An invariant does not hold; the message has the seed and the last events of the row."""


@dataclass(slots=True, frozen=True)
class Image:
    """What can be installed; `bad` ones never come up, on whatever board."""

    pk: int
    name: str
    verification: str = "ping"
    reusable: bool = False
    hardware: frozenset[int] = frozenset()
    verify_timeout: float = 45
    verify_limit: int = 30
    bad: bool = False


@dataclass(slots=True)
class Rack:
    """`pulse_seen` is the heartbeat of its pulses."""

    pk: int
    pulse_seen: datetime


@dataclass(slots=True)
class Controller:
    """A relay board. `connections` is what really goes on, not a column."""

    pk: int
    rack: int
    lease_owner: str = ""
    lease_until: datetime | None = None
    suspect_until: datetime | None = None
    lately_failed: deque[tuple[datetime, int]] = field(default_factory=deque)
    silent: bool = False
    connections: int = 0


@dataclass(slots=True)
class Device:
    """A device's row, with a trace of what happened to it."""

    pk: int
    rack: int
    controller: int
    hardware: int
    environment: str
    deadline: datetime | None
    outlet: bool = True
    state: str = "new"
    state_seq: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    image: int | None = None
    boot_config: str = ""
    next_image: int | None = None
    next_boot_config: str = ""
    netboot: int | None = None
    boot_seq: int = 0
    task_seq: int = 0
    result: str = ""
    failures: int = 0
    held_by: int | None = None
    idle_since: datetime | None = None
    trace: deque[tuple[object, ...]] = field(default_factory=lambda: deque(maxlen=30))

    @property
    def snapshot(self) -> Snapshot:
        """The machine columns, as the step takes them."""
        return Snapshot(self.state, self.state_seq, self.deadline, self.counters)


@dataclass(slots=True)
class Request:
    """A request's row."""

    pk: int
    image: int
    boot_config: str
    environment: str
    expires: datetime
    deadline: datetime | None
    turn: datetime
    requested_device: int | None = None
    state: str = "finding_device"
    state_seq: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    task_seq: int = 0
    ended: bool = False
    trace: deque[tuple[object, ...]] = field(default_factory=lambda: deque(maxlen=30))

    @property
    def snapshot(self) -> Snapshot:
        """The machine columns, as the step takes them."""
        return Snapshot(self.state, self.state_seq, self.deadline, self.counters)


@dataclass(slots=True)
class Operation:
    """One piece of hardware work; the pk is the fencing token."""

    pk: int
    device: int
    rack: int
    controller: int | None
    kind: str
    netboot: bool
    poll: float | None
    state_seq: int | None
    not_before: datetime
    waits: bool
    status: str = "queued"
    runner: str = ""
    attempts: int = 0
    lease_until: datetime | None = None


@dataclass(slots=True, frozen=True)
class Install:
    """What became of an image on a device."""

    device: int
    finished: datetime
    succeeded: bool
    healthy_before: bool
