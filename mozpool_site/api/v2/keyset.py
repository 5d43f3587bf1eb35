"""Pages that cost the same wherever they are: each begins after the last row of the one before, by an index.

A cursor holds the value and the primary key of a row, so rows that come or go meanwhile shift nothing, and
thousands of rows with one value are no trouble. It is no secret, and is checked like any other input.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from rest_framework.pagination import BasePagination

from mozpool_site.api.values import LARGEST_ID
from mozpool_site.errors import InvalidInputError

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 500
PARAMETERS = frozenset({"cursor", "limit", "ordering"})
# What a query set calls its number as another table has it, where that table's index leads to its rows: SQLite sorts by
# our own number then, although the two are equal.
ALONG = "along"
_LONGEST_CURSOR = 1000
_PARTS = 4

Row = dict[str, Any]


class Cursor(NamedTuple):
    """Where a page begins: beyond the row with this value and key, forwards or backwards in this ordering."""

    ordering: str
    backwards: bool
    value: Any
    key: int


@dataclass(frozen=True)
class Page:
    """Rows in the order asked for, and the addresses of the pages around them."""

    rows: list[Row]
    following: str | None
    preceding: str | None


def take(
    queryset: QuerySet[Any], request: HttpRequest, orderings: Sequence[str], columns: Sequence[str]
) -> Page:
    """Read the page that the request's `limit`, `ordering` and `cursor` name, in one query.

    `orderings` are columns that are never null and have an index, the first of them the default; a minus before the
    name turns each around. Rows are dicts of `columns`, `pk` and the ordering's column. Raises InvalidInputError.
    """
    ordering = _ordering(request, orderings)
    column = ordering.removeprefix("-")
    limit = _limit(request)
    cursor = _cursor(request, queryset, ordering)
    backwards = cursor is not None and cursor.backwards
    descending = ordering.startswith("-") != backwards
    if cursor is not None:
        queryset = queryset.filter(_beyond(queryset, column, cursor, descending=descending))
    sign = "-" if descending else ""
    place = _place(queryset, column)
    keys = (f"{sign}{place}",) if _unique(queryset, column) else (f"{sign}{place}", f"{sign}pk")
    rows = list(queryset.order_by(*keys).values("pk", *{column: None, **dict.fromkeys(columns)})[: limit + 1])
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()

    def link(row: Row, *, back: bool) -> str:
        return _address(request, Cursor(ordering, back, row[column], row["pk"]))

    return Page(
        rows,
        following=link(rows[-1], back=False) if rows and (more or backwards) else None,
        preceding=link(rows[0], back=True) if rows and (more if backwards else cursor is not None) else None,
    )


def take_keys_first(
    queryset: QuerySet[Any], request: HttpRequest, orderings: Sequence[str], columns: Sequence[str]
) -> Page:
    """Read a page as `take` does, in two queries: its keys along an index, and then what these stand for.

    Of joins and of wide rows MySQL would rather read all, and sort them.
    """
    page = take(queryset, request, orderings, ())
    keys = [row["pk"] for row in page.rows]
    names = {"pk", *columns, *(name.removeprefix("-") for name in orderings)}
    found = queryset.model._default_manager.filter(pk__in=keys).order_by().values(*names) if keys else ()
    rows = {row["pk"]: row for row in found}
    return replace(page, rows=[rows[key] for key in keys if key in rows])


def _ordering(request: HttpRequest, orderings: Sequence[str]) -> str:
    ordering = request.GET.get("ordering", orderings[0])
    names = [name.removeprefix("-") for name in orderings]
    if ordering.removeprefix("-") not in names or ordering.startswith("--"):
        known = ", ".join(f"{name}, -{name}" for name in names)
        raise InvalidInputError(f"ordering: one of {known} expected", field="ordering")
    return ordering


def _limit(request: HttpRequest) -> int:
    text = request.GET.get("limit", str(DEFAULT_LIMIT))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_LIMIT)) else 0
    if not 1 <= number <= LARGEST_LIMIT:
        raise InvalidInputError(f"limit: a number from 1 to {LARGEST_LIMIT} expected", field="limit")
    return number


def _cursor(request: HttpRequest, queryset: QuerySet[Any], ordering: str) -> Cursor | None:
    text = request.GET.get("cursor")
    if text is None:
        return None
    bad = InvalidInputError("cursor: take `next` or `previous` of a page as they are", field="cursor")
    try:
        if len(text) > _LONGEST_CURSOR:
            raise bad
        parts = json.loads(urlsafe_b64decode(text.encode("ascii")).decode())
        written, backwards, value, key = Cursor(*parts) if isinstance(parts, list) else _wrong()
        value = queryset.model._meta.get_field(_field(queryset, ordering)).to_python(_checked(value))
        if isinstance(value, datetime):
            value = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, RecursionError, ValidationError) as error:
        raise bad from error
    if not isinstance(backwards, bool) or type(key) is not int or not 0 <= key <= LARGEST_ID:
        raise bad
    if written != ordering:
        raise InvalidInputError(
            "cursor: it belongs to another ordering; begin again without it", field="cursor"
        )
    return Cursor(ordering, backwards, value, key)


def _wrong() -> Cursor:
    raise ValueError("no list")


def _checked(value: object) -> object:
    """Give a value that a database can compare with: a plain text or a number."""
    if isinstance(value, str):
        value.encode()  # half a character is a ValueError
        return value.replace("\0", "")
    if type(value) is int and abs(value) <= LARGEST_ID:
        return value
    raise ValueError("neither a text nor a number")


def _field(queryset: QuerySet[Any], ordering: str) -> str:
    name = ordering.removeprefix("-")
    return str(queryset.model._meta.pk.name) if name == "pk" else name


def _place(queryset: QuerySet[Any], column: str) -> str:
    return ALONG if column == "id" and ALONG in queryset.query.annotations else column


def _unique(queryset: QuerySet[Any], column: str) -> bool:
    return bool(getattr(queryset.model._meta.get_field(_field(queryset, column)), "unique", False))


def _beyond(queryset: QuerySet[Any], column: str, cursor: Cursor, *, descending: bool) -> Q:
    """Select what comes after the cursor's row: a range of the index first, the row's equals second."""
    after = "lt" if descending else "gt"
    if _unique(queryset, column):
        return Q(**{f"{_place(queryset, column)}__{after}": cursor.value})
    further = Q(**{f"{column}__{after}": cursor.value}) | Q(**{f"pk__{after}": cursor.key})
    return Q(**{f"{column}__{after}e": cursor.value}) & further


def _address(request: HttpRequest, cursor: Cursor) -> str:
    value = cursor.value.isoformat() if isinstance(cursor.value, datetime) else cursor.value
    text = json.dumps([cursor.ordering, cursor.backwards, value, cursor.key], separators=(",", ":"))
    query = [(name, one) for name, values in request.GET.lists() for one in values if name != "cursor"]
    query.append(("cursor", urlsafe_b64encode(text.encode()).decode()))
    return f"{settings.MOZPOOL_BASE_URL}{request.path}?{urlencode(query)}"


class KeysetPagination(BasePagination):
    """Describes the pages to the schema; `take` makes them."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page."""
        link = {
            "type": ["string", "null"],
            "format": "uri",
            "example": "http://mozpool.example/api/v2/devices/?limit=100&cursor=WyJuYW1lIl0",
        }
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe `limit`, `cursor` and the orderings that the view offers."""
        choices = [f"{sign}{name.removeprefix('-')}" for name in view.orderings for sign in ("", "-")]
        number = {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT}
        ordering = {"type": "string", "enum": choices, "default": view.orderings[0]}
        return [
            _parameter("limit", "Rows on a page.", number),
            _parameter(
                "cursor", "Part of `next` and `previous`; nothing to make yourself.", {"type": "string"}
            ),
            _parameter("ordering", "What to order by; a minus turns it around.", ordering),
        ]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
