"""Several threads at the same moment, each with a database connection of its own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import QuerySet

T = TypeVar("T")


def in_threads(number: int, action: Callable[[int], T]) -> list[T]:
    """Do something in so many threads at once, give each its number, and collect what they give.

    An exception in one of them is raised here.
    """
    start = threading.Barrier(number)

    def one(index: int) -> T:
        try:
            start.wait(30)
            return action(index)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


@contextmanager
def locked(rows: QuerySet[Any]) -> Iterator[None]:
    """Keep rows locked from another connection, as a client that hangs in its transaction does."""
    have, done = threading.Event(), threading.Event()

    def hold() -> None:
        # After 20 s the server ends the transaction of whoever says nothing in it.
        with suppress(OperationalError, InterfaceError), transaction.atomic():
            list(rows.select_for_update())
            have.set()
            done.wait(60)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert have.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()
