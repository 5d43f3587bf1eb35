"""Tells what waits inside a web process that the process is to end, so that nobody waits for it in vain."""

import asyncio
import signal
from types import FrameType

_stopping = False
_waiting: set[asyncio.Event] = set()


def stopping() -> bool:
    """Whether this process has been asked to end."""
    return _stopping


async def asked_to_stop() -> None:
    """Wait until this process is asked to end; at once when it has been. Cancel it when it matters no more."""
    event = asyncio.Event()
    _waiting.add(event)
    try:
        if not _stopping:
            await event.wait()
    finally:
        _waiting.discard(event)


def watch_for_the_end() -> None:
    """Begin to listen; called once, in the main thread, from inside the running event loop.

    The server has its own handler for SIGTERM in the loop, which goes on working beside this one: the loop is woken
    through a file descriptor.
    """
    loop = asyncio.get_running_loop()

    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(_stop)

    signal.signal(signal.SIGTERM, heard)
    signal.siginterrupt(signal.SIGTERM, False)


def _stop() -> None:
    global _stopping  # noqa: PLW0603 - one end per process is the point
    _stopping = True
    for event in tuple(_waiting):
        event.set()
