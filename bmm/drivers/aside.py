"""Lets a driver use a library that is asynchronous, or one that keeps no deadline."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from bmm.deadline import Deadline
from bmm.errors import OutOfTime

ResultT = TypeVar("ResultT")


def in_time(step: Callable[[], ResultT], deadline: Deadline, what: str) -> ResultT:
    """Return what a step returns, or raise what it raises; raise OutOfTime when it goes on after the deadline.

    It runs in a thread; one that is given up ends by itself when its library does.
    """
    seconds = deadline.check(what)
    future: Future[ResultT] = Future()

    def run() -> None:
        try:
            future.set_result(step())
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            future.set_exception(error)

    threading.Thread(target=run, name=what, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError as error:
        if future.done():
            raise
        raise OutOfTime(f"{what}: no answer in time") from error


class Aside:
    """An event loop that belongs to one connection and runs only while somebody waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, step: Coroutine[Any, Any, ResultT], deadline: Deadline, what: str) -> ResultT:
        """Wait for a step's result; raises OutOfTime, having called the step off, when the deadline passes."""
        try:
            seconds = deadline.check(what)
        except OutOfTime:
            step.close()
            raise
        try:
            return self._loop.run_until_complete(asyncio.wait_for(step, seconds))
        except TimeoutError as error:
            raise OutOfTime(f"{what}: no answer in time") from error

    def close(self) -> None:
        """End what still runs on the loop, and the loop."""
        if self._loop.is_closed():
            return
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        # What was closed just now wants one turn of the loop to do so.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
