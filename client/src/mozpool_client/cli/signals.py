"""Signals as messages: each is handed on at once, whatever the main thread is doing.

Python runs its handlers between two instructions of the main thread. One that has just begun to wait would hear of a
signal when the wait is over; so the byte that the handler below Python writes is read by a thread.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def signals_to(tell: Callable[[int], object]) -> Iterator[None]:
    """Tell of signals for the length of a `with`, in the main thread, instead of dying of them.

    Those that whoever started us ignores (nohup) stay ignored.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    kept = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    reader = threading.Thread(target=_read, args=(reading, tell), name="signals", daemon=True)
    reader.start()
    old = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in kept:
        signal.signal(number, _noted)
    try:
        yield
    finally:
        for number in kept:
            signal.signal(number, before[number])
        signal.set_wakeup_fd(old)
        os.close(writing)
        reader.join()


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """End what is in the `with` by SystemExit at SIGTERM and SIGHUP, so that it can tidy up, as at Ctrl-C."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    kept = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in kept:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in kept:
            signal.signal(number, before[number])


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _noted(number: int, frame: FrameType | None) -> None:
    """Do nothing: the byte is on its way."""


def _read(reading: int, tell: Callable[[int], object]) -> None:
    while numbers := os.read(reading, 64):
        for number in numbers:
            if number in SIGNALS:
                tell(number)
    os.close(reading)
