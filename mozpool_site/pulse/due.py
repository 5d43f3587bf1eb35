"""What a loop looks for, each second: the SQL is written once, and anew only when what it leaves out changes."""

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db.models import Q, QuerySet

from mozpool_site.compiled import CompiledQuery

RowT = TypeVar("RowT")

# Rows of one look.
MOST = 500


class Due(Generic[RowT]):
    """The first rows of a query, which has Parameters for the values that change with each look."""

    def __init__(self, query: "Callable[[], QuerySet[Any, RowT]]") -> None:
        self._query = query
        self._kept: CompiledQuery[RowT] | None = None
        self._only, self._but = Q(), Q()

    def rows(self, *, only: Q | None = None, but: Collection[int] = (), **values: object) -> list[RowT]:
        """Return the first rows among `only`, without the primary keys `but`."""
        some, others = only or Q(), Q(pk__in=sorted(but)) if but else Q()
        if self._kept is None or (some, others) != (self._only, self._but):
            self._only, self._but = some, others
            found = self._query().filter(some)
            self._kept = CompiledQuery(lambda: (found.exclude(others) if others else found)[:MOST])
        try:
            return list(self._kept(**values))
        except EmptyResultSet:
            return []
