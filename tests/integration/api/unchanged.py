"""Proves that a call left no trace: every row of every table is as it was before."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.db import connection

Unchanged = Callable[..., AbstractContextManager[None]]


def digests() -> dict[str, str]:
    """Give a digest of the rows of each table, whatever order the database gives them in."""
    found: dict[str, str] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a table's own name
            rows = sorted(repr(row) for row in cursor.fetchall())
            found[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


class Watch:
    """Compares the tables with what they were when it was last asked: one digest for each call of a row of calls."""

    def __init__(self) -> None:
        self._last = digests()

    def changed(self) -> list[str]:
        """Give the tables whose rows have changed since the last look."""
        before, self._last = self._last, digests()
        return sorted(table for table in self._last if self._last[table] != before.get(table))


@contextmanager
def nothing_changes(but: Collection[str] = ()) -> Iterator[None]:
    """Fail when what is done inside changes a row of any table; those named in `but` may change."""
    before = digests()
    assert "devices_device" in before
    assert set(but) <= set(before), "but names tables that are not there"
    yield
    after = digests()
    assert sorted(table for table in after if after[table] != before.get(table) and table not in but) == []


@pytest.fixture
def unchanged(db: None) -> Unchanged:
    """Give a context in which no table may change; tables named in its `but` may."""
    return nothing_changes
