"""The one connection to a power controller, shared by a whole batch, and the rests that boards need between two."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Self

from bmm.deadline import Deadline
from bmm.drivers.power.contract import PowerContract
from bmm.errors import HardwareError

# After a connection that was not accepted, even where the board itself asks for no rest: else asking again
# and again for a board that is down would keep a core busy.
_RETRY_SECONDS = 0.5


class PowerLine(PowerContract):
    """The part of PowerDriver (base.py) that connects."""

    def __init__(
        self,
        address: str,
        settings: Mapping[str, object] | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take what PowerDriver takes."""
        super().__init__(address, settings, sleep)
        self._is_open = False
        self._held = False
        self._rested: Deadline | None = None
        self.was_open = False

    @contextmanager
    def connected(self) -> Iterator[Self]:
        """Share one connection between several calls; the first that needs it opens it."""
        was_held, self._held = self._held, True
        try:
            yield self
        finally:
            self._held = was_held
            if not was_held:
                self.drop()

    def ensure_open(self, deadline: Deadline) -> None:
        """Connect unless it is done, after the rest that the controller needs since the last connection."""
        if self._is_open:
            return
        if self._rested is not None:
            self._pause(self._rested.remaining(), deadline)
        deadline.check(f"connecting to {self.address}")
        try:
            self.open(deadline.sooner(self.connect_seconds))
        except HardwareError:
            self._close()
            self._rested = Deadline.after(max(self.rest_seconds, _RETRY_SECONDS))
            raise
        self._is_open = self.was_open = True

    def drop(self) -> None:
        """Close the connection, if there is one; the next one keeps the rest that is due."""
        if self._is_open:
            self._is_open = False
            self._close()
            self._rested = Deadline.after(self.rest_seconds)

    def _close(self) -> None:
        with suppress(HardwareError):
            self.close()

    @contextmanager
    def _line(self) -> Iterator[None]:
        try:
            yield
        finally:
            if not self._held:
                self.drop()

    def _pause(self, seconds: float, deadline: Deadline) -> None:
        if seconds > 0:
            self._sleep(min(seconds, deadline.remaining()))
