"""What a process remembers of the database for a moment, so that many who ask cost no more than one."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")

# Reading takes a twentieth of the time at most, however large the pool is.
_REST = 20


class Memory(Generic[T]):
    """Remembers what `read` gives for `seconds`, or longer where reading takes long; one thread renews it."""

    def __init__(self, read: Callable[[datetime], T], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._known: T | None = None
        self._until = 0.0
        self._reading = threading.Lock()
        self._forgotten = 0

    def get(self, now: datetime) -> T:
        """Give what is remembered, or read anew; while another thread reads, what was known before will do."""
        known = self._known
        if known is not None and time.monotonic() < self._until:
            return known
        if known is None or self._until == 0:
            return self.anew(now)
        if not self._reading.acquire(blocking=False):
            return known
        try:
            return self.anew(now)
        finally:
            self._reading.release()

    def anew(self, now: datetime) -> T:
        """Read, and remember it."""
        begin, forgotten = time.monotonic(), self._forgotten
        known = self._read(now)
        end = time.monotonic()
        # What was forgotten while it was read may be what has changed since.
        fresh = forgotten == self._forgotten
        self._known, self._until = known, end + max(self._seconds, _REST * (end - begin)) if fresh else 0.0
        return known

    def forget(self) -> None:
        """Read anew the next time."""
        self._forgotten += 1
        self._until = 0.0
