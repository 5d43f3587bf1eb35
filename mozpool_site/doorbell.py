"""Rings a worker: "there is a row for you". A lost ring costs seconds, never work, for the pulse looks anyway.

The web process must answer within a second while the broker is down or frozen, so after a failed ring this
process does not try again for a few seconds.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 5.0

_lock = threading.Lock()
_silent_until = 0.0
_here = threading.local()


@dataclass
class Kept:
    """A bell that is not rung, since who keeps it answers it; `args` is None until there is one."""

    queue: str
    task: str
    args: tuple[int | str, ...] | None = None


@contextmanager
def keeping_one(queue: str, task: str) -> Iterator[Kept]:
    """Keep back this thread's first bell for a task on a queue; all others are rung as ever.

    For a worker of that queue, which is up and may as well answer at once. A bell that is kept when an error passes
    through is lost, which costs seconds like any other.
    """
    _here.kept = kept = Kept(queue, task)
    try:
        yield kept
    finally:
        _here.kept = None


def ring(queue: str, task: str, *args: int | str) -> None:
    """Ring once the present transaction has committed; at once when there is none."""
    transaction.on_commit(lambda: _send(queue, task, args), robust=True)


def _send(queue: str, task: str, args: tuple[int | str, ...]) -> None:
    global _silent_until  # noqa: PLW0603 - one breaker per process is the point
    kept: Kept | None = getattr(_here, "kept", None)
    if kept and kept.args is None and (kept.queue, kept.task) == (queue, task):
        kept.args = args
        return
    with _lock:
        now = time.monotonic()
        if now < _silent_until:
            return
        if _silent_until:
            # The last ring failed: one caller finds out whether it still does, the others need not wait with it.
            _silent_until = now + SILENCE_SECONDS
    try:
        current_app.send_task(task, args=args, queue=queue, ignore_result=True, retry=False)
    except (BrokerError, OSError) as error:
        with _lock:
            _silent_until = time.monotonic() + SILENCE_SECONDS
        logger.warning("broker unreachable, the pulse takes over: %s", error)
    else:
        _silent_until = 0.0
