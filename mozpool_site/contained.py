"""Keeps one thing that can't be dealt with from holding up the many others that wait behind it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mozpool_site.transactions import UNAVAILABLE

logger = logging.getLogger(__name__)


@contextmanager
def contained(message: str, *args: object, failed: Callable[[], object] | None = None) -> Iterator[None]:
    """Log whatever goes wrong inside, call `failed`, and go on. A database that is away or busy passes through."""
    try:
        yield
    except UNAVAILABLE:
        raise
    except Exception:
        logger.exception(message, *args)
        if failed is not None:
            failed()
