"""Keeps one thing that can't be dealt with from holding up the many others that wait behind it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from mozpool_site.transactions import UNAVAILABLE

logger = logging.getLogger(__name__)

# How far a row that can't be dealt with is pushed back.
POISON_PAUSE = timedelta(seconds=60)


@contextmanager
def contained(message: str, *args: object, push_back: Callable[[], object] | None = None) -> Iterator[None]:
    """Log whatever goes wrong inside, push the row at fault back, and go on. A database that is away passes through."""
    try:
        yield
    except UNAVAILABLE:
        raise
    except Exception:
        logger.exception(message, *args)
        if push_back is not None:
            push_back()
