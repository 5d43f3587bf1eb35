"""What goes from the listener to the writer, and what waits between them: bounded, the oldest dropped and counted."""

import threading
import time
from collections import Counter, deque
from typing import NamedTuple

# One INSERT takes so many lines, and is made so many seconds after the first of them at the latest.
BATCH = 500
BATCH_SECONDS = 0.5
# Alarms are rare, by their cooldown: more than these can't wait for a database that is away.
_MOST_ALARMS = 1000


class Line(NamedTuple):
    """Something that a device said; `received` is a moment of time.monotonic()."""

    device_id: int
    received: float
    text: str


class Alarm(NamedTuple):
    """A line of a device that a pattern looks for: its event is `name`; serious ones concern Lifeguard."""

    line: Line
    name: str
    serious: bool


class Waiting:
    """Lines and alarms that the database has not taken yet: `most` lines in memory at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: deque[Line] = deque()
        self._alarms: deque[Alarm] = deque()
        self._lost: Counter[int] = Counter()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._lines)

    def put(self, line: Line) -> None:
        """Take a line in; when there is no room the oldest one goes."""
        with self._changed:
            if len(self._lines) >= self._most:
                self._lost[self._lines.popleft().device_id] += 1
            self._lines.append(line)
            if len(self._lines) in (1, BATCH):
                self._changed.notify()

    def put_alarm(self, alarm: Alarm) -> None:
        """Take an alarm in, before all lines."""
        with self._changed:
            if len(self._alarms) >= _MOST_ALARMS:
                self._lost[self._alarms.popleft().line.device_id] += 1
            self._alarms.append(alarm)
            self._changed.notify()

    def take(self, patience: float) -> list[Line]:
        """Give the next lines, BATCH at most: when they are a batch, or the first has waited; none after `patience`."""
        with self._changed:
            if not self._lines and not self._alarms:
                self._changed.wait(patience)
            if self._lines and not self._alarms and len(self._lines) < BATCH:
                left = self._lines[0].received + BATCH_SECONDS - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
            return [self._lines.popleft() for _ in range(min(BATCH, len(self._lines)))]

    def take_alarm(self) -> Alarm | None:
        """Give the next alarm."""
        with self._changed:
            return self._alarms.popleft() if self._alarms else None

    def put_back(self, alarm: Alarm) -> None:
        """Keep an alarm that could not be stored for the next try."""
        with self._changed:
            self._alarms.appendleft(alarm)

    def take_lost(self) -> Counter[int]:
        """Give how many lines of which device found no room since the last time."""
        with self._changed:
            lost, self._lost = self._lost, Counter()
            return lost
