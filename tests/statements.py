"""What statements cost, told by the database itself: rows that MariaDB reads, steps of SQLite's machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from django.db import connection

# SQLite is asked each so many steps; a row that it looks at takes ten to thirty of them.
_STEPS, _STEPS_OF_A_ROW = 100, 20


@dataclass
class Statement:
    """A statement, its parameters, and about how many rows the database read for it."""

    sql: str
    parameters: Any
    rows: int = 0
    seconds: float = 0.0

    @property
    def plan(self) -> str:
        """How the database carries it out."""
        word = "EXPLAIN" if connection.vendor == "mysql" else "EXPLAIN QUERY PLAN"
        with connection.cursor() as cursor:
            cursor.execute(f"{word} {self.sql}", self.parameters)
            names = [column[0] for column in cursor.description or ()]
            return "\n".join(
                "  ".join(
                    f"{name}={value}" for name, value in zip(names, row, strict=True) if value is not None
                )
                for row in cursor.fetchall()
            )


@contextmanager
def watched() -> Iterator[list[Statement]]:
    """Note each statement of this thread's connection, with what it cost."""
    seen: list[Statement] = []
    if connection.vendor == "mysql":
        with connection.execute_wrapper(_counting(seen)):
            yield seen
        return
    connection.ensure_connection()

    def stepped() -> int:
        # Rows are fetched after `execute` has returned: the newest statement is the one that works.
        if seen:
            seen[-1].rows += _STEPS // _STEPS_OF_A_ROW
        return 0

    connection.connection.set_progress_handler(stepped, _STEPS)
    try:
        with connection.execute_wrapper(_noting(seen)):
            yield seen
    finally:
        connection.connection.set_progress_handler(None, 0)


def _noting(seen: list[Statement]) -> Callable[..., Any]:
    def noted(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        seen.append(Statement(sql, parameters))
        begun = perf_counter()
        try:
            return execute(sql, parameters, many, context)
        finally:
            seen[-1].seconds = perf_counter() - begun

    return noted


def _counting(seen: list[Statement]) -> Callable[..., Any]:
    def counted(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        statement = Statement(sql, parameters)
        seen.append(statement)
        before = _rows_read()
        begun = perf_counter()
        try:
            return execute(sql, parameters, many, context)
        finally:
            statement.seconds = perf_counter() - begun
            statement.rows = _rows_read() - before

    return counted


def _rows_read() -> int:
    """Ask past Django, whose wrappers would be called again. Not by FLUSH, which commits."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())
    finally:
        cursor.close()


def tables_read(plan: Any) -> Iterator[dict[str, Any]]:
    """Yield every access to a table, and every sort told with its rows, of MariaDB's EXPLAIN FORMAT=JSON."""
    if isinstance(plan, dict):
        if "access_type" in plan:
            yield plan
        for part in plan.values():
            yield from tables_read(part)
    elif isinstance(plan, list):
        for part in plan:
            yield from tables_read(part)
