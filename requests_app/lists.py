"""How lists of requests are narrowed down, so that none of them reads all requests that there ever were."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Max, Q, QuerySet

from mozpool_site.api.v2.keyset import ALONG
from mozpool_site.by_row import by_row
from requests_app.models import Request
from requests_app.states import ENDED_STATES

# What is asked for by filters that no index serves is looked for among so many of the newest requests.
SEARCHED = 50_000
# Filters that have an index in the order of numbers, one by one; and those that few requests meet, whatever the order.
_INDEXED, _FEW = frozenset({"owner", "assignee", "image", "environment", "tag"}), frozenset({"device"})


def is_open_only(conditions: Mapping[str, Any], *, state: str, open_: bool | None) -> bool:
    """Whether only requests that live are asked for: there are no more of them than devices and people who wait."""
    return open_ is True or ("state" in conditions and state not in ENDED_STATES)


def is_searched(conditions: Mapping[str, Any], *, state: str, open_: bool | None) -> bool:
    """Whether no index serves these filters, so that only the newest requests are looked at."""
    given = conditions.keys()
    if is_open_only(conditions, state=state, open_=open_) or given & _FEW:
        return False
    return len(given) > 1 or not given <= _INDEXED


def serves_any_order(conditions: Mapping[str, Any], *, state: str, open_: bool | None) -> bool:
    """Whether a list with these filters may be ordered by something else than the number."""
    few = is_open_only(conditions, state=state, open_=open_) or bool(conditions.keys() & _FEW)
    return few or not conditions


def narrowed(
    conditions: Mapping[str, Any], *, state: str = "", open_: bool | None = None
) -> QuerySet[Request]:
    """Select requests by conditions that have the names of their filters.

    One of them leads the database, by its index; the others are judged row by row, lest they lead it astray.
    """
    leading, others, along = Q(), dict(conditions), {}
    if is_open_only(conditions, state=state, open_=open_):
        leading = Q(ended=None)
    elif is_searched(conditions, state=state, open_=open_):
        newest = Request.objects.aggregate(last=Max("pk"))["last"] or 0
        leading = Q(pk__gt=newest - SEARCHED)
    elif others:
        name = next(iter(others.keys() & _FEW), None) or next(iter(others))
        leading = others.pop(name)
        along = {ALONG: F("tag_rows__request_id")} if name == "tag" else {}
    if open_ is not None:
        others["open"] = Q(ended__isnull=open_)
    found = Request.objects.filter(leading).annotate(**along)
    for condition in others.values():
        found = found.filter(by_row(condition))
    return found
