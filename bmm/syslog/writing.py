"""Brings lines into the journal, a batch in one statement; keeps them while the database is away."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, transaction

from bmm.syslog.lines import Alarm, Line, Waiting
from bmm.syslog.signals import device_alarmed
from devices import journal
from devices.models.journal import Source
from mozpool_site import clock
from mozpool_site.contained import contained
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import UNAVAILABLE, retrying

logger = logging.getLogger(__name__)

# The journal is read by who follows its end: a line may not turn up further back than a slow transaction's would.
_FURTHEST_BACK = timedelta(seconds=2)
# A difference that no answer's delay explains.
_CLOCK_WAS_SET = timedelta(seconds=0.5)
_SYSLOG = Actor("", Source.SYSLOG.value)


class _DatabaseTime:
    """When something was received, by the database's clock: never in another order than it came."""

    def __init__(self) -> None:
        self._offset: datetime | None = None

    def moment(self, received: float, furthest_back: timedelta | None = _FURTHEST_BACK) -> datetime:
        """Give a moment of time.monotonic() by the database's clock; `look` comes first."""
        if self._offset is None:
            raise RuntimeError("nobody has looked at the clock")
        here = time.monotonic()
        age = timedelta(seconds=max(0.0, here - received))
        now = self._offset + timedelta(seconds=here)
        return now - (age if furthest_back is None else min(age, furthest_back))

    def look(self) -> None:
        """Compare the clocks; raises what the database raises."""
        # The answer's way here makes the database seem late: the quickest answer is the best one.
        found = clock.now() - timedelta(seconds=time.monotonic())
        known = self._offset
        if known is None or found > known or known - found > _CLOCK_WAS_SET:
            self._offset = found


class Writer:
    """Stores what waits. Used by one thread; what it could not store it has in hand, and tries again."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._in_hand: list[Line] = []
        self._time = _DatabaseTime()
        self._away_since: float | None = None
        self.stored = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to store."""
        return not self._in_hand and not len(self._waiting)

    @property
    def away(self) -> bool:
        """Whether the database was away when we last tried."""
        return self._away_since is not None

    def write(self, patience: float) -> bool:
        """Store the alarms and the next batch, waiting so long for one to come; False when the database is away."""
        self._in_hand = self._in_hand or self._waiting.take(patience)
        try:
            self._store_alarms()
            if self._in_hand:
                self._store_lines()
        except UNAVAILABLE as error:
            connection.close()
            if self._away_since is None:
                self._away_since = time.monotonic()
                logger.warning("the database is away, lines wait: %s", error)
            return False
        if self._away_since is not None:
            logger.warning("the database is back after %.0f s", time.monotonic() - self._away_since)
            self._away_since = None
        return True

    def add(self, dropped: Counter[int], why: str) -> None:
        """Tell in the journals of devices how many of their lines were dropped."""
        now = time.monotonic()
        for device_id, number in dropped.items():
            lines = "1 line" if number == 1 else f"{number} lines"
            self._waiting.put(Line(device_id, now, f"{lines} dropped: {why}"))

    def _store_lines(self) -> None:
        self._time.look()
        rows = [(self._time.moment(line.received), line.device_id, line.text) for line in self._in_hand]
        try:
            journal.append_texts(rows, Source.SYSLOG)
        except UNAVAILABLE:
            raise
        except DatabaseError as error:
            logger.warning("a batch is refused, and stored line by line: %s", error)
            self._store_singly(rows)
        self.stored += len(rows)
        self._in_hand = []

    def _store_singly(self, rows: Sequence[tuple[datetime, int, str]]) -> None:
        for row in rows:
            with contained("a line of device %s can't be stored: %.100r", row[1], row[2]):
                journal.append_texts([row], Source.SYSLOG)

    def _store_alarms(self) -> None:
        while alarm := self._waiting.take_alarm():
            try:
                with contained("the alarm %s of device %s can't be stored", alarm.name, alarm.line.device_id):
                    _store_alarm(alarm, self._time)
                    self.stored += 1
            except UNAVAILABLE:
                self._waiting.put_back(alarm)
                raise


@retrying
def _store_alarm(alarm: Alarm, clocks: _DatabaseTime) -> None:
    """Store an alarm's line, and let the layers above draw their conclusion, both or neither."""
    clocks.look()
    line = alarm.line
    when = clocks.moment(line.received)
    row = journal.line(line.text, when, device_id=line.device_id, by=_SYSLOG, event=alarm.name)
    journal.append([row])
    if alarm.serious:
        with (
            contained("nobody heeds the alarm %s of device %s", alarm.name, line.device_id),
            transaction.atomic(),
        ):
            device_alarmed.send(
                Writer,
                device_id=line.device_id,
                name=alarm.name,
                message=line.text,
                received=clocks.moment(line.received, furthest_back=None),
            )
