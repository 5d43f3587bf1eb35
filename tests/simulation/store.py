"""The simulated database and its clock: rows, the queue of what will happen, and who was touched by what happened.

Whatever an action does to rows is one transaction: nothing else runs in between, and it is never half done.
"""

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.simulation.rows import Broken, Controller, Device, Image, Install, Operation, Rack, Request

START = datetime(2026, 3, 1, tzinfo=UTC)


class Store:
    """Rows and time. `random` is seeded: the same seed gives the same history."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = START
        self.steps = 0
        self.racks: dict[int, Rack] = {}
        self.images: dict[int, Image] = {}
        self.controllers: dict[int, Controller] = {}
        self.devices: dict[int, Device] = {}
        self.requests: dict[int, Request] = {}
        self.operations: dict[int, Operation] = {}
        self.running_on: dict[int, Operation] = {}
        self.installs: dict[int, list[Install]] = {}
        self.touched_devices: set[int] = set()
        self.touched_requests: set[int] = set()
        self._queue: list[tuple[datetime, int, Callable[..., bool | None], tuple[object, ...]]] = []
        self._numbers = 0

    def number(self) -> int:
        """Give the next primary key; keys of all tables come from one sequence."""
        self._numbers += 1
        return self._numbers

    def after(self, seconds: float) -> datetime:
        """Give the moment so many seconds from now."""
        return self.now + timedelta(seconds=seconds)

    def later(self, seconds: float, action: Callable[..., bool | None], *args: object) -> None:
        """Let an action happen so many seconds from now. One that gives False found nothing to do."""
        self._numbers += 1
        moment = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._queue, (moment, self._numbers, action, args))

    def advance(self) -> bool:
        """Do the next thing; True when it counts as a step."""
        moment, _, action, args = heapq.heappop(self._queue)
        self.now = moment
        if action(*args) is False:
            return False
        self.steps += 1
        return True

    def chance(self, probability: float) -> bool:
        """Throw a coin."""
        return self.random.random() < probability

    def holder_of(self, request: int) -> Device | None:
        """Find the device that a request holds."""
        for device in self.devices.values():
            if device.held_by == request:
                return device
        return None

    def fail(self, law: str, *rows: Device | Request) -> Broken:
        """Make the report of a broken invariant: the law, the seed, and what lately happened to the rows."""
        lines = [f"{law} [seed {self.seed}, step {self.steps}, {self.now.isoformat()}]"]
        for row in rows:
            lines.append(f"{type(row).__name__.lower()} {row.pk} in {row.state}, state_seq {row.state_seq}:")
            lines += ["  " + " ".join(str(part) for part in line) for line in row.trace]
        return Broken("\n".join(lines))
