"""Nothing but a HardwareError leaves a driver, whatever a peer says and a library makes of it."""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from bmm.errors import Garbled, HardwareError, Misconfigured

logger = logging.getLogger(__name__)

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")

# What a library may let out that is no Exception: a task of its own that it called off, and a program's way to end.
_ALSO = (asyncio.CancelledError, SystemExit)


@contextmanager
def guarded(what: str, kind: type[HardwareError] = Garbled) -> Iterator[None]:
    """Turn any exception that is no HardwareError into one of a kind, and log it: it may be a fault of ours."""
    try:
        yield
    except HardwareError:
        raise
    except (Exception, *_ALSO) as error:
        logger.exception("%s: an exception that no driver foresees", what)
        # Its text may hold a password.
        told = "an answer that makes no sense" if kind is Garbled else "the driver fails"
        raise kind(f"{what}: {told} ({type(error).__name__})") from error


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


def guard(
    function: Callable[ParametersT, ResultT], kind: type[HardwareError]
) -> Callable[ParametersT, ResultT]:
    """Guard a method of a driver."""

    @functools.wraps(function)
    def call(*args: ParametersT.args, **more: ParametersT.kwargs) -> ResultT:
        whose = getattr(args[0], "address", None) or getattr(args[0], "__name__", "a driver")
        with guarded(f"{function.__name__} of {whose}", kind):
            return function(*args, **more)

    return call


def guard_methods(cls: type, names: dict[str, type[HardwareError]]) -> None:
    """Guard those of these methods that a class defines, each with the kind of error that any other becomes."""
    for name, kind in names.items():
        method = vars(cls).get(name)
        if isinstance(method, classmethod):
            setattr(cls, name, classmethod(guard(method.__func__, kind)))
        elif callable(method):
            setattr(cls, name, guard(method, kind))
