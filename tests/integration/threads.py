"""Several threads at the same moment, each with a database connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def in_threads(number: int, action: Callable[[int], T]) -> list[T]:
    """Do something in so many threads at once, give each its number, and collect what they give.

    An exception in one of them is raised here.
    """
    start = threading.Barrier(number)

    def one(index: int) -> T:
        try:
            start.wait(10)
            return action(index)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))
