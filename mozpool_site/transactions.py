"""One way to run a transaction: as a whole, and again when the database asks for it.

Locks are taken in one order everywhere (request, device, power controller, operation), so deadlocks are
rare; they are still possible between index ranges, and a restarted database drops connections.
"""

import functools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

TRIES = 5
# What the database says when it is away, or when others are in the way; `is_gone` and `is_contention` tell which.
UNAVAILABLE = (OperationalError, InterfaceError)
# MySQL: deadlock, lock wait timeout, record changed since last read.
_LOCK_WAIT_TIMEOUT = 1205
_CONTENTION = {1213, _LOCK_WAIT_TIMEOUT, 1020}
# MySQL: server has gone away, lost connection (also while it connects); the connect errors of a restart; too many
# connections; MariaDB's own for KILL and MySQL's for a client that was idle for too long.
_GONE = {2006, 2013, 2055, 2002, 2003, 2005, 1040, 1053, 1927, 4031}
# SQLite has no connection to lose, but its file may be gone.
_FILE_GONE = ("unable to open database file", "disk I/O error")
_LOOK_AGAIN_SECONDS = 0.5
_MOMENTS = (0.02, 0.08, 0.2, 0.0)

_here = threading.local()


class RowLockedError(Exception):
    """Another transaction has locked a row, which is passed over and not waited for."""


def unlocked_soon(rows: QuerySet[Any]) -> bool:
    """Lock the rows for the open transaction; False when there are none, or while somebody else keeps them locked.

    Who holds a lock only for a step is waited for; who keeps it longer has died, or hangs.
    """
    skipping = connection.features.has_select_for_update_skip_locked
    for pause in _MOMENTS:
        if rows.select_for_update(skip_locked=skipping).first() is not None:
            return True
        time.sleep(pause)
    return False


def unlocked(rows: QuerySet[Any]) -> list[Any]:
    """Lock those of the rows that nobody else keeps locked, for the open transaction, and return them."""
    return list(rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked))


def is_gone(error: BaseException) -> bool:
    """Whether the connection to the database is gone: nothing can be done until there is another."""
    if not isinstance(error, UNAVAILABLE):
        return False
    return isinstance(error, InterfaceError) or _code(error) in _GONE or str(error).startswith(_FILE_GONE)


def is_contention(error: BaseException) -> bool:
    """Whether others were in the way: another try may succeed."""
    if isinstance(error, OperationalError):
        return _code(error) in _CONTENTION or "database is locked" in str(error)
    return isinstance(error, RowLockedError)


@contextmanager
def impatient() -> Iterator[None]:
    """Give up on a lock that somebody keeps, in this thread, instead of waiting for it again and again."""
    before, _here.impatient = is_impatient(), True
    try:
        yield
    finally:
        _here.impatient = before


def is_impatient() -> bool:
    """Whether this thread has better things to do than to wait for a lock."""
    return getattr(_here, "impatient", False)


def retrying(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in a transaction of its own, at most five times.

    Inside another transaction it simply runs: only the outermost may start over. Nothing but the
    database may be touched in `function`; what follows from it belongs into `transaction.on_commit`.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return function(*args, **kwargs)
        for attempt in range(1, TRIES + 1):
            try:
                with transaction.atomic(durable=True):
                    return function(*args, **kwargs)
            except UNAVAILABLE as error:
                if not _worth_another_try(error) or attempt == TRIES:
                    raise
                logger.warning("transaction %s starts over (%d): %s", function.__name__, attempt, error)
                jitter = random.uniform(0.5, 1.5)  # noqa: S311 - parts rivals, guards nothing
                time.sleep(jitter * 0.02 * 2**attempt)
        raise AssertionError("unreachable")

    return run


def patiently(function: Callable[[], R], seconds: float) -> R:
    """Call `function` until the database is there for it, for so many seconds at most.

    For what must be told once hardware has been touched; who has not begun yet had better give up and be rung again.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return function()
        except UNAVAILABLE as error:
            if (
                connection.in_atomic_block
                or time.monotonic() >= end
                or (is_impatient() and is_contention(error))
            ):
                raise
            connection.close()
            logger.warning("the database is away, what was done waits to be told: %s", error)
            time.sleep(_LOOK_AGAIN_SECONDS)


def _worth_another_try(error: Exception) -> bool:
    if is_gone(error):
        connection.close()
        return True
    return is_contention(error) and not (is_impatient() and _code(error) == _LOCK_WAIT_TIMEOUT)


def _code(error: BaseException) -> object:
    return error.args[0] if error.args else None
