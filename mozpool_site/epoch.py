"""Seconds and days as the database counts them, natively: a million rows must not come to Python to be counted."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, IntegerField
from django.db.models.sql.compiler import SQLCompiler

_Compiled = tuple[str, Any]


class Epoch(Func):
    """Whole seconds since 1970 of a moment; both databases store UTC."""

    arity = 1
    output_field = IntegerField()

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> _Compiled:
        """Ask without a time zone."""
        # A literal of the type: a text would be read anew for each row.
        template = "TIMESTAMPDIFF(SECOND, TIMESTAMP'1970-01-01 00:00:00', %(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> _Compiled:
        """Read the text that a moment is there."""
        # The signs are halved here, and again where the parameters come in.
        template = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)


class Slots(Func):
    """How many whole slots fit into seconds."""

    arity = 2
    template = "(%(expressions)s)"
    output_field = IntegerField()

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> _Compiled:
        """Divide whole numbers."""
        return self.as_sql(compiler, connection, arg_joiner=" DIV ", **context)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> _Compiled:
        """Divide: of whole numbers the result is one."""
        return self.as_sql(compiler, connection, arg_joiner=" / ", **context)
