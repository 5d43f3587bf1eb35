"""Statements that Django writes once and that then run with other values, for the paths that are used most.

Django takes longer to write most of our SQL than the database to answer it. A query here is Django's all the same, and
so is what becomes of its rows; only that its text is kept. Signals of models are not sent: we have none.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import cache
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import AutoField, Expression, Field, Model, QuerySet
from django.db.models.sql import UpdateQuery
from django.db.transaction import TransactionManagementError

RowT = TypeVar("RowT")


class Parameter(Expression):
    """A value that is given when the query runs; it is written as one of the field's."""

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name
        self._field = field

    def written(self, value: object) -> object:
        """Return a value in the form in which the database driver takes it."""
        # As in Django's own conditions: MySQL takes a 0 for no number to store, but one may well be looked for.
        prepared = isinstance(self._field, AutoField)
        return self._field.get_db_prep_value(value, connection, prepared=prepared)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Leave a place for the value."""
        return "%s", (self,)


class CompiledQuery(Generic[RowT]):
    """A query with places for values: `build` makes it, with a Parameter for each, and always of the same shape.

    Call it with the values to run it, which many may do at once.
    `along` names a model and the index of it to search along, whatever MySQL's statistics say at this moment: with
    another one it may read the whole table, or lock more rows than it gives. SQLite chooses well by itself.
    """

    def __init__(
        self, build: Callable[[], "QuerySet[Any, RowT]"], *, along: tuple[type[Model], str] | None = None
    ) -> None:
        self._build = build
        self._along = along
        self._kept: dict[str, _Kept] = {}

    def forget(self) -> None:
        """Have the query made anew the next time."""
        self._kept.clear()

    def __call__(self, **values: object) -> Iterator[RowT]:
        """Run the query when the first row is asked for, and return rows as its query set does."""
        kept = self._kept.get(connection.vendor)
        if kept is None:
            kept = self._kept[connection.vendor] = _Kept(self._build(), self._along)
        return kept.rows(values)


class _Kept:
    """What Django makes of a query for one kind of database before it runs it."""

    def __init__(self, queryset: "QuerySet[Any, Any]", along: tuple[type[Model], str] | None) -> None:
        self._queryset = queryset
        self._compiler = queryset.query.get_compiler(connection=connection)
        self._sql, self._parameters = self._compiler.as_sql()
        if along and connection.vendor == "mysql":
            model, index = along
            self._sql = re.sub(rf"FROM {_table(model)}( U\d+)?", rf"\g<0> FORCE INDEX ({index})", self._sql)
        columns = self._compiler.select[: self._compiler.col_count]
        self._converters = self._compiler.get_converters([column[0] for column in columns])

    def rows(self, values: Mapping[str, object]) -> Iterator[Any]:
        """Run it on this thread's connection."""
        if self._queryset.query.select_for_update and not connection.in_atomic_block:
            raise TransactionManagementError("a row can be locked in a transaction only")
        given = _written(self._parameters, values)
        compiler: Any = copy(self._compiler)
        query: Any = copy(self._queryset.query)
        compiler.connection = connection
        compiler.as_sql = lambda: (self._sql, given)
        compiler.get_converters = lambda _: self._converters
        query.get_compiler = lambda *_, **__: compiler
        rows: Any = self._queryset._iterable_class  # noqa: SLF001 - models, tuples or values, as the query set says
        return iter(rows(QuerySet(self._queryset.model, query)))


class CompiledUpdate:
    """An UPDATE of a query set's rows to what `setting` says; `build` makes the query set, with Parameters."""

    def __init__(self, build: Callable[[], "QuerySet[Any, Any]"], **setting: object) -> None:
        self._build = build
        self._setting = setting
        self._kept: dict[str, tuple[str, Sequence[object]]] = {}

    def __call__(self, **values: object) -> int:
        """Run it; return how many rows there are."""
        if connection.vendor not in self._kept:
            query: Any = self._build().query.chain(UpdateQuery)
            query.add_update_values(self._setting)
            self._kept[connection.vendor] = query.get_compiler(connection=connection).as_sql()
        sql, parameters = self._kept[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(sql, _written(parameters, values))
            return int(cursor.rowcount)


def _written(parameters: Sequence[object], values: Mapping[str, object]) -> list[Any]:
    return [one.written(values[one.name]) if isinstance(one, Parameter) else one for one in parameters]


def insert(row: Model) -> None:
    """Store a new row, and set its primary key, which the database numbers."""
    row.pk = insert_all([row])
    row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001 - Django documents it


def insert_all(rows: Sequence[Model]) -> int:
    """Store new rows of one model in one statement; return the primary key of the only one."""
    sql, fields = _insertion(type(rows[0]))
    one = f"({', '.join(['%s'] * len(fields))})"
    values = [
        field.get_db_prep_save(field.pre_save(row, True), connection) for row in rows for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql + ", ".join([one] * len(rows)), values)
        return int(cursor.lastrowid)


@cache
def _insertion(model: type[Model]) -> tuple[str, list[Any]]:
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    names = ", ".join(map(_column, fields))
    return f"INSERT INTO {_table(model)} ({names}) VALUES ", fields  # noqa: S608 - names of our own columns


def update(model: type[Model], values: Mapping[str, object], **where: object) -> int:
    """Set columns of the rows whose columns have the values of `where`; return how many there are."""
    sql, fields = _updating(model, tuple(values), tuple(where))
    given = zip(fields, (*values.values(), *where.values()), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_save(value, connection) for field, value in given])
        return int(cursor.rowcount)


@cache
def _updating(model: type[Model], names: tuple[str, ...], where: tuple[str, ...]) -> tuple[str, list[Any]]:
    fields = [model._meta.get_field(name) for name in (*names, *where)]
    places = [f"{_column(field)} = %s" for field in fields]
    setting, among = ", ".join(places[: len(names)]), " AND ".join(places[len(names) :])
    return f"UPDATE {_table(model)} SET {setting} WHERE {among}", fields  # noqa: S608 - names of our own columns


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _column(field: Any) -> str:
    return connection.ops.quote_name(field.column)
