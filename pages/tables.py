"""Tables that are filtered, sorted and paged on the server, by the query string.

Wrap a table, its filter form and its pager in one element with an id and `hx-boost="true" hx-target="this"
hx-select="#ID" hx-swap="outerHTML show:none"`: its links and forms then change the table alone and the address with it,
and work without JavaScript, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

PER_PAGE = 100
M = TypeVar("M", bound=Model)
T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows of many. `number` counts pages from 1, `count` all rows."""

    rows: Sequence[T]
    number: int
    count: int
    per_page: int = PER_PAGE

    @property
    def pages(self) -> int:
        """How many pages there are, one at least."""
        return max(1, -(-self.count // self.per_page))

    @property
    def begins(self) -> int:
        """The number of the first row, from 1; 0 where there is none."""
        return (self.number - 1) * self.per_page + 1 if self.count else 0

    @property
    def ends(self) -> int:
        """The number of the last row."""
        return min(self.number * self.per_page, self.count)


def page_of(request: HttpRequest, rows: "QuerySet[M, T] | list[T]", per_page: int = PER_PAGE) -> Page[T]:
    """Give the page that `?page=` names; the nearest that there is for any other. Two queries, none for a list."""
    count = len(rows) if isinstance(rows, list) else rows.count()
    text = request.GET.get("page", "1")
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1  # noqa: PLR2004 - digits of int32
    number = min(max(1, wanted), max(1, -(-count // per_page)))
    found = list(rows[(number - 1) * per_page : number * per_page]) if count else []
    return Page(found, number, count, per_page)


def sorting(
    request: HttpRequest, columns: Mapping[str, Sequence[str]], default: str
) -> tuple[str, list[str]]:
    """Give the sort that `?sort=` names (`since`, `-since`), and its columns for order_by; the default for any other.

    `columns` names for each sort the columns of the database, in their order; the last should be unique.
    """
    wanted = request.GET.get("sort", default)
    name = wanted if wanted.removeprefix("-") in columns else default
    backwards = name.startswith("-")
    chosen = columns[name.removeprefix("-")]
    return name, [_turned(column) if backwards else column for column in chosen]


def _turned(column: str) -> str:
    return column.removeprefix("-") if column.startswith("-") else f"-{column}"


def chosen(request: HttpRequest, name: str, known: Mapping[str, Any]) -> str:
    """Give the value of a filter if it is one that there is; nothing for any other, as if it had not been sent."""
    value = request.GET.get(name, "")
    return value if value in known else ""
