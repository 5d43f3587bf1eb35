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
_SYSLOG = Actor("", Source.SYSLOG.value)


class Writer:
    """Stores what waits. Used by one thread; what it could not store it has in hand, and tries again."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._in_hand: list[Line] = []
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
        now, here = clock.now(), time.monotonic()
        rows = [(_moment(line, now, here), line.device_id, line.text) for line in self._in_hand]
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
                    _store_alarm(alarm)
                    self.stored += 1
            except UNAVAILABLE:
                self._waiting.put_back(alarm)
                raise


@retrying
def _store_alarm(alarm: Alarm) -> None:
    """Store an alarm's line, and let the layers above draw their conclusion, both or neither."""
    now, here = clock.now(), time.monotonic()
    line = alarm.line
    row = journal.line(
        line.text, _moment(line, now, here), device_id=line.device_id, by=_SYSLOG, event=alarm.name
    )
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
                received=now - timedelta(seconds=max(0.0, here - line.received)),
            )


def _moment(line: Line, now: datetime, here: float) -> datetime:
    age = timedelta(seconds=max(0.0, here - line.received))
    return now - min(age, _FURTHEST_BACK)
