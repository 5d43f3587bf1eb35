"""One way to run a transaction: as a whole, and again when the database asks for it.

Locks are taken in one order everywhere (request, device, power controller, operation), so deadlocks are
rare; they are still possible between index ranges, and a restarted database drops connections.
"""

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

TRIES = 5
# What says that the database itself is away or busy; any other DatabaseError is about one statement or row.
UNAVAILABLE = (OperationalError, InterfaceError)
# MySQL: deadlock, lock wait timeout, record changed since last read.
_CONTENTION = {1213, 1205, 1020}
# MySQL: server has gone away, lost connection during query; the connect errors of a restart; MariaDB's own for KILL.
_GONE = {2006, 2013, 2002, 2003, 1053, 1927}
_LOOK_AGAIN_SECONDS = 0.5


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
            if connection.in_atomic_block or time.monotonic() >= end:
                raise
            connection.close()
            logger.warning("the database is away, what was done waits to be told: %s", error)
            time.sleep(_LOOK_AGAIN_SECONDS)


def _worth_another_try(error: Exception) -> bool:
    code = error.args[0] if error.args else None
    if code in _GONE or isinstance(error, InterfaceError):
        connection.close()
        return True
    return code in _CONTENTION or "database is locked" in str(error)
