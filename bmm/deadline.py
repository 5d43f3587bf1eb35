"""A moment by which hardware work must be over.

It is handed from step to step, so that three steps cannot take three times as long as one.
"""

import time
from dataclasses import dataclass
from typing import Self

from bmm.errors import OutOfTime


@dataclass(frozen=True, order=True)
class Deadline:
    """An absolute moment, in seconds of this machine's monotonic clock; it means nothing elsewhere."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Give the deadline that is `seconds` from now; zero or less is one that has passed already."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Give the seconds left, never less than 0."""
        return max(0.0, self.moment - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return self.moment <= time.monotonic()

    def sooner(self, seconds: float) -> "Deadline":
        """Give a deadline `seconds` from now, but never later than this one."""
        return min(self, Deadline.after(seconds))

    def check(self, what: str) -> float:
        """Give the seconds left, always more than 0, so that they can serve as a socket's timeout.

        `what` names the work for the message of the OutOfTime that is raised when nothing is left.
        """
        left = self.moment - time.monotonic()
        if left <= 0:
            raise OutOfTime(f"{what}: no time left")
        return left
