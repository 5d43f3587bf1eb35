"""A loop finds what is due, does it, and says when to look again; each group of loops has a thread of its own.

So what is slow or stuck holds up its own group and no other. A connection that is gone is made anew.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

from django.db import connection, connections
from django.db.backends.signals import connection_created

from mozpool_site import clock
from mozpool_site.pulse.parking import Parking
from mozpool_site.transactions import impatient, is_gone, is_impatient

T = TypeVar("T")

logger = logging.getLogger(__name__)

# How soon to look again while the database is away; the bound is its outage plus ten seconds.
_DATABASE_AWAY = 1.0
_SHORTEST_PAUSE = 0.02
# Seconds: loops of a group that are due so shortly after one another look together.
_TOGETHER = 0.05
# So long the database's time is counted on; clocks that differ have hardly parted by then.
_TRUSTED_SECONDS = 5.0
# A loop that is not wanted may be a moment later.
_ASK_AGAIN = 1.0


class Loop(ABC):
    """One kind of due work. `every` is the longest pause between two looks, `budget` about what its rows may take.

    What can't be dealt with belongs into `with self.parking.apart(key)`; selections pass over `self.parking`.
    """

    name: ClassVar[str]
    every: timedelta = timedelta(seconds=1)
    budget: ClassVar[timedelta] = timedelta(seconds=2)

    def __init__(self) -> None:
        self.parking = Parking(self.name)
        self.due = 0.0  # of the monotonic clock: when the next look is

    @abstractmethod
    def look(self, now: datetime) -> datetime | None:
        """Do what is due now; return when something will be, where that is sooner than `every`."""

    def wanted(self) -> bool:
        """Whether to look at all; a loop that need not look costs no statement and no connection."""
        return True

    def end(self, seconds: float) -> bool:
        """Begin nothing more in threads of the loop's own; return whether what runs there ends in so many seconds."""
        return True

    def within_budget(self, rows: Iterable[T]) -> Iterator[T]:
        """Yield rows until the time of a look is over; there is always one."""
        until = time.monotonic() + self.budget.total_seconds()
        for row in rows:
            yield row
            if time.monotonic() >= until:
                return


class Pulse:
    """Lets loops go round: each group in its own thread, the loops of a group one after the other."""

    def __init__(self, *groups: Sequence[Loop]) -> None:
        self.groups = groups

    def once(self, now: datetime | None = None) -> datetime:
        """Let each loop look once, in this thread; return when the first of them is to look again."""
        soonest = None
        for loop in (loop for group in self.groups for loop in group if loop.wanted()):
            moment = now or clock.now()
            following = look(loop, moment)
            soonest = following if soonest is None else min(soonest, following)
        return soonest or clock.now()

    def run(self, stop: threading.Event, last_seconds: float) -> bool:
        """Go round until told to stop. What is in hand then has so many seconds to end; return whether it did."""
        clock_here = _Clock()
        threads = [
            threading.Thread(
                target=_go_round, args=(group, clock_here, stop), name=f"pulse-{group[0].name}", daemon=True
            )
            for group in self.groups
        ]
        for thread in threads:
            thread.start()
        stop.wait()
        return self.end(threads, seconds=last_seconds)

    def end(self, threads: Sequence[threading.Thread] = (), *, seconds: float) -> bool:
        """Let what is in hand end, within so many seconds; return whether it did."""
        until = time.monotonic() + seconds
        ended = [loop.end(until - time.monotonic()) for group in self.groups for loop in group]
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return all(ended) and not any(thread.is_alive() for thread in threads)


def look(loop: Loop, now: datetime) -> datetime:
    """Let a loop look once; return when it is to look again. Whatever goes wrong outside its rows parks the loop."""
    following = None
    with loop.parking.apart(""):
        following = loop.look(now)
    return min(following, now + loop.every) if following else now + loop.every


class _Clock:
    """The database's time: asked for each five seconds, for all loops, and counted on by our own clock in between.

    It is behind the database's by a round trip at most, so what the loops select by it is due. Where that clock is set
    back, or another server takes over whose clock is behind, what is due within those five seconds is met early.
    """

    def __init__(self) -> None:
        self._known: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Return the time."""
        told, heard = self._known or (clock.now(), time.monotonic())
        since = time.monotonic() - heard
        if since > _TRUSTED_SECONDS:
            told, heard, since = clock.now(), time.monotonic(), 0.0
        self._known = (told, heard)
        return told + timedelta(seconds=since)


def _go_round(group: Sequence[Loop], clock_here: _Clock, stop: threading.Event) -> None:
    """Let the loops of a group look when it is their time."""
    together = _TOGETHER if len(group) > 1 else 0.0
    with impatient():
        while not stop.is_set():
            for loop in group:
                if not stop.is_set() and time.monotonic() >= loop.due - together:
                    _look_in_time(loop, clock_here)
            pause = min(loop.due for loop in group) - time.monotonic()
            stop.wait(max(_SHORTEST_PAUSE, pause))
    connections.close_all()


def _look_in_time(loop: Loop, clock_here: _Clock) -> None:
    begun = time.monotonic()
    loop.due = begun + loop.every.total_seconds()
    if not loop.wanted():
        loop.due = min(loop.due, begun + _ASK_AGAIN)
        return
    try:
        now = clock_here.now()
        if "" in loop.parking.keys(now):
            return
        loop.due = min(loop.due, begun + (look(loop, now) - now).total_seconds())
    except Exception as error:
        if not is_gone(error):
            logger.exception("loop %s failed", loop.name)
        else:
            logger.warning("%s: the database is away: %s", loop.name, error)
        connection.close()
        loop.due = time.monotonic() + _DATABASE_AWAY


def _wait_briefly(connection: object, **_: object) -> None:
    """Let a loop's own connection wait for a lock no longer than a second: others are due, too."""
    if is_impatient() and getattr(connection, "vendor", "") == "mysql":
        with connection.cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute("SET SESSION innodb_lock_wait_timeout=1")


connection_created.connect(_wait_briefly, dispatch_uid="pulse-waits-briefly")
