"""What all async views share: work with the database in a few threads, and things of which each event loop has one."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from django.db import close_old_connections

T = TypeVar("T")

# Looks, and what callers ask for when they come and go. Each thread keeps its connection to the database.
_threads = ThreadPoolExecutor(2, thread_name_prefix="waiting")


async def in_thread(work: Callable[[], T], threads: ThreadPoolExecutor = _threads) -> T:
    """Do something with the database in one of the few threads for it; what may wait for a lock has its own."""

    def run() -> T:
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(threads, run)


class OnePerLoop(Generic[T]):
    """Gives the running event loop's own of something, made when it is first asked for. A web process has one loop."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}

    def __call__(self) -> T:
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            self._made = {known: one for known, one in self._made.items() if not known.is_closed()}
            self._made[loop] = self._make()
        return self._made[loop]
