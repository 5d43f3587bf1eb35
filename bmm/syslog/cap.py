"""How much one device may log: a bucket of tokens for each, so that a board gone mad can't fill the journal."""

import threading
from collections import Counter


class Cap:
    """`rate` lines a second in the long run, and `burst` at once; what is over is counted."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self._burst = float(burst)
        self._buckets: dict[int, tuple[float, float]] = {}
        self._over: Counter[int] = Counter()
        self._lock = threading.Lock()

    def admits(self, device_id: int, now: float) -> bool:
        """Whether a line may pass at `now`, in seconds of a clock that never goes back. One thread asks."""
        left, since = self._buckets.get(device_id, (self._burst, now))
        left = min(self._burst, left + (now - since) * self.rate)
        if left < 1:
            self._buckets[device_id] = (left, now)
            with self._lock:
                self._over[device_id] += 1
            return False
        self._buckets[device_id] = (left - 1, now)
        return True

    def take_over(self) -> Counter[int]:
        """Give how many lines of which device were over since the last time."""
        with self._lock:
            over, self._over = self._over, Counter()
            return over
