"""Keeps one row that can't be dealt with from holding up the others: it is passed over for a while, by everybody.

Whatever goes wrong parks that row alone; only a connection that is gone passes through, for nothing can be done then.
A loop that fails as a whole, with the key "", pauses in its own process: elsewhere, over other racks, it may do well.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import Error, IntegrityError, transaction
from django.db.models import F, QuerySet

from mozpool_site import clock
from mozpool_site.pulse.models import Parked
from mozpool_site.transactions import is_contention, is_gone

logger = logging.getLogger(__name__)

# A row that fails is tried again after two seconds, then four, up to a minute.
_FIRST, _LONGEST = 2.0, 60.0
# One that somebody else has locked is soon free: within half a minute even where its holder has died.
_LOCKED_FIRST, _LOCKED_LONGEST = 1.0, 4.0
# A lock of a second or two is everyday business, and not written down.
_LOCKED_SHOWN = 3
# What other processes have parked is read so often.
_READ_SECONDS = 2.0
_MOST = 1000
_LONGEST_ERROR = 300
# What has not been tried again so long after its pause is due no longer: others have dealt with it.
FORGET_AFTER = timedelta(minutes=2)


@dataclass
class _Pause:
    times: int
    until: float  # by this process's monotonic clock
    stored: bool


@dataclass
class _Board:
    """What is parked, as far as this process knows; shared by its loops, and read from the table for all at once."""

    pauses: dict[tuple[str, str], _Pause] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: float = -_READ_SECONDS

    def refresh(self, now: datetime) -> None:
        """Learn what others have parked, and what they have dealt with."""
        with self.lock:
            if time.monotonic() < self.read_at + _READ_SECONDS:
                return
            self.read_at = time.monotonic()
        rows = Parked.objects.filter(until__gt=now - FORGET_AFTER).order_by("-until")[:_MOST]
        stored = {
            (row.loop, row.key): _Pause(
                row.times, time.monotonic() + (row.until - now).total_seconds(), stored=True
            )
            for row in rows
            if row.key
        }
        with self.lock:
            ours = {
                (loop, key): pause
                for (loop, key), pause in self.pauses.items()
                if not (pause.stored and key)
                and pause.until > time.monotonic() - FORGET_AFTER.total_seconds()
            }
            self.pauses = {**ours, **stored}


_board = _Board()


def forget() -> None:
    """Read the table anew with the next look."""
    _board.pauses.clear()
    _board.read_at = -_READ_SECONDS


class Parking:
    """The rows that one loop passes over."""

    def __init__(self, loop: str) -> None:
        self._loop = loop

    def keys(self, now: datetime) -> set[str]:
        """Return the keys that are to be passed over now."""
        _board.refresh(now)
        with _board.lock:
            moment = time.monotonic()
            return {
                key
                for (loop, key), pause in _board.pauses.items()
                if loop == self._loop and pause.until > moment
            }

    def holds(self, key: int | str) -> bool:
        """Whether one of them is passed over, as far as this process has read and done."""
        with _board.lock:
            pause = _board.pauses.get((self._loop, str(key)))
            return pause is not None and pause.until > time.monotonic()

    def numbers(self, now: datetime) -> list[int]:
        """Return the same as primary keys."""
        return [int(key) for key in self.keys(now) if key.isdigit()]

    @contextmanager
    def apart(self, key: int | str) -> Iterator[None]:
        """Park a row with whatever goes wrong inside, and go on; success ends its parking."""
        try:
            yield
        except Exception as error:
            if is_gone(error):
                raise
            self.park(str(key), error)
        else:
            self.release(str(key))

    def park(self, key: str, error: Exception) -> None:
        """Pass over a row for a while, longer with each time that it fails."""
        name = (self._loop, key)
        locked = is_contention(error)
        first, longest = (_LOCKED_FIRST, _LOCKED_LONGEST) if locked else (_FIRST, _LONGEST)
        with _board.lock:
            before = _board.pauses.get(name)
            times = before.times + 1 if before else 1
            seconds = min(longest, first * 2 ** min(times - 1, 20))
            pause = _Pause(times, time.monotonic() + seconds, stored=before is not None and before.stored)
            _board.pauses[name] = pause
        if locked and times < _LOCKED_SHOWN:
            return
        if locked:
            logger.warning("%s %s: %s; next try in %g s", *name, error, seconds)
        else:
            logger.error("%s %s failed; next try in %g s", *name, seconds, exc_info=error)
        pause.stored = _store(name, times, seconds, f"{type(error).__name__}: {error}"[:_LONGEST_ERROR])

    def release(self, key: str) -> None:
        """Forget that a row was parked."""
        with _board.lock:
            pause = _board.pauses.pop((self._loop, key), None)
        if pause is not None and pause.stored:
            Parked.objects.filter(loop=self._loop, key=key).delete()


def _store(name: tuple[str, str], times: int, seconds: float, error: str) -> bool:
    """Let others see it, in a transaction of its own; where that fails, too, this process remembers it alone."""
    loop, key = name
    try:
        now = clock.now()
        pause = {"until": now + timedelta(seconds=seconds), "error": error, "last": now}
        if not Parked.objects.filter(loop=loop, key=key).update(times=F("times") + 1, **pause):
            with transaction.atomic():
                Parked.objects.create(loop=loop, key=key, times=times, first=now, **pause)
    except IntegrityError:
        return True  # another process has just stored it
    except Error as failure:
        if is_gone(failure):
            raise
        logger.warning("%s %s can't be stored as parked: %s", loop, key, failure)
        return False
    return True


def parked(now: datetime) -> QuerySet[Parked]:
    """Select what is parked, and still of interest."""
    return Parked.objects.filter(until__gt=now - FORGET_AFTER)


def prune(now: datetime) -> int:
    """Forget what nobody has tried again for long; return how many."""
    old = Parked.objects.filter(until__lte=now - FORGET_AFTER).order_by("until").values_list("pk", flat=True)
    return Parked.objects.filter(pk__in=list(old[:_MOST])).delete()[0]
