"""Nothing but a HardwareError leaves a driver, whatever a peer says and a library makes of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bmm.errors import Garbled, HardwareError, Misconfigured

logger = logging.getLogger(__name__)


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Turn any exception that is no HardwareError into Garbled, and log it: it may be a fault of ours."""
    try:
        yield
    except HardwareError:
        raise
    except Exception as error:
        logger.exception("%s: an exception that no driver foresees", what)
        # Its text may hold a password.
        raise Garbled(f"{what}: an answer that makes no sense ({type(error).__name__})") from error


@contextmanager
def guarded_settings(what: str) -> Iterator[None]:
    """Turn any exception of what only reads a controller's row, without a word to the hardware, into Misconfigured."""
    try:
        with guarded(what):
            yield
    except Misconfigured:
        raise
    except HardwareError as error:
        raise Misconfigured(str(error)) from error
