"""The list of requests: what it can be narrowed down by, and its pages of a hundred along an index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict
from urllib.parse import urlsplit

from django.db.models import Max, Q
from django.http import HttpRequest, QueryDict

from devices.models import Device, Image
from devices.names import HOSTNAME, SLUG
from mozpool_site import clock
from mozpool_site.api.access import Caller
from mozpool_site.api.v2 import keyset
from mozpool_site.api.values import row_id
from pages.requests.left import urgency_of
from requests_app import lists
from requests_app.api.ownership import owns
from requests_app.api.v2.rendering import COLUMNS, Entry, entries
from requests_app.models import Request
from requests_app.snapshot import stock
from requests_app.states import ENDED_STATES, REQUEST

# The columns to sort by: each has an index, and is never null. The newest are first unless something else is asked for.
ORDERINGS = ("id", "created", "expires")
DEFAULT_SORT = "-id"
OPEN, CLOSED, ALL = "open", "closed", "all"
ME = "me"
_LONGEST = 100


class _About(TypedDict):
    """What decides, besides the filters' names, which index serves a list."""

    state: str
    open_: bool | None


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed down to; empty is no matter which. `owner` may be `me`."""

    show: str = OPEN
    text: str = ""
    state: str = ""
    image: str = ""
    device: str = ""
    environment: str = ""
    owner: str = ""
    assignee: str = ""

    @property
    def used(self) -> bool:
        """Whether anything but open or closed is asked for."""
        return any(getattr(self, one.name) for one in fields(self) if one.name != "show")


@dataclass(frozen=True)
class Listed:
    """A page of requests, the queries of the pages around it, and what was wrong with the filters, by field.

    `row.mine` says whether the caller may renew and return the request of `row.entry`.
    """

    rows: Sequence["Row"]
    newer: str | None
    older: str | None
    problems: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True)
class Row:
    """One request in the list."""

    entry: Entry
    mine: bool

    @property
    def urgency(self) -> str:
        """The class of the time that it has left."""
        return urgency_of(self.entry)


def read(query: QueryDict) -> Filters:
    """Read the filters out of a query string; what is too long or unknown is cut, and then matches nothing."""
    given = {
        one.name: query.get(one.name, "").replace("\0", "").strip()[:_LONGEST] for one in fields(Filters)
    }
    if given["show"] not in (OPEN, CLOSED, ALL):
        given["show"] = ALL if given["state"] in ENDED_STATES else OPEN
    return Filters(**given)


def page(request: HttpRequest, filters: Filters, caller: Caller) -> Listed:
    """Read the page that a query string names. Raises InvalidInputError for an ordering or a cursor that is none."""
    conditions, problems = _conditions(filters, caller)
    if problems:
        return Listed((), None, None, problems)
    about: _About = {"state": filters.state, "open_": None if filters.show == ALL else filters.show == OPEN}
    selected = lists.narrowed(conditions, **about)
    any_order = lists.serves_any_order(conditions, **about)
    # The numbers along an index first, and what they stand for then: joins would lead the database astray.
    taken = keyset.take(selected, _asked(request, any_order=any_order), ORDERINGS, ())
    keys = [row["pk"] for row in taken.rows]
    found = {row["pk"]: row for row in Request.objects.filter(pk__in=keys).values(*COLUMNS)} if keys else {}
    shown = entries([found[key] for key in keys if key in found], caller)
    rows = [Row(entry, entry["ended"] is None and owns(caller, entry["owner"])) for entry in shown]
    return Listed(
        rows, _query_of(taken.preceding), _query_of(taken.following), cut=_is_cut(conditions, about)
    )


def _is_cut(conditions: Mapping[str, Any], about: "_About") -> bool:
    """Whether there are more requests than were looked at."""
    if not lists.is_searched(conditions, **about):
        return False
    return (Request.objects.aggregate(last=Max("pk"))["last"] or 0) > lists.SEARCHED


def _conditions(filters: Filters, caller: Caller) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a condition for each filter; a name that nothing has is a problem of its field."""
    found: dict[str, Any] = {}
    problems = {}
    for name, selected in (("state", _of_state), ("image", _of_image), ("device", _of_device)):
        if value := getattr(filters, name):
            condition = selected(value)
            if condition is None:
                problems[name] = f"there is no {name} {value!r}"
            else:
                found[name] = condition
    if filters.owner:
        found["owner"] = Q(owner=caller.name if filters.owner == ME else filters.owner)
    for name in ("environment", "assignee"):
        if value := getattr(filters, name):
            found[name] = Q(**{name: value})
    if filters.text:
        found["text"] = _words(filters.text)
    return found, problems


def _of_state(name: str) -> Q | None:
    return Q(state=name) if name in REQUEST.stored() else None


def _of_image(name: str) -> Q | None:
    images = Image.objects.filter(name=name) if SLUG.fullmatch(name) else Image.objects.none()
    number = images.values_list("pk", flat=True).first()
    return None if number is None else Q(image=number)


def _of_device(name: str) -> Q | None:
    """Select those that named a device, hold it, or held it last."""
    devices = Device.objects.filter(name=name) if HOSTNAME.fullmatch(name) else Device.objects.none()
    number = devices.values_list("pk", flat=True).first()
    return None if number is None else Q(requested_device=number) | Q(last_device=number)


def _words(text: str) -> Q:
    """Match a number, or words in whom it is for, who filed it, or the name of its device."""
    found = Q(assignee__icontains=text) | Q(owner__icontains=text) | Q(last_device__name__icontains=text)
    number = row_id(text.removeprefix("#"))
    return found if number is None else found | Q(pk=number)


def sort_of(request: HttpRequest) -> str:
    """Give the sort that `?sort=` names, the default for any other."""
    wanted = request.GET.get("sort", "")
    return wanted if wanted.removeprefix("-") in ORDERINGS and not wanted.startswith("--") else DEFAULT_SORT


def _asked(request: HttpRequest, *, any_order: bool) -> HttpRequest:
    """Ask for a page in the words of the API's pages; by number where no index has the order that is asked for."""
    query = request.GET.copy()
    sort = sort_of(request)
    query["ordering"] = sort if any_order or sort.removeprefix("-") == "id" else DEFAULT_SORT
    query.pop("limit", None)
    asked = HttpRequest()
    asked.path, asked.GET = request.path, QueryDict(query.urlencode())
    return asked


def _query_of(address: str | None) -> str | None:
    """Give the query string of another page's address, in our own words."""
    if address is None:
        return None
    query = QueryDict(urlsplit(address).query, mutable=True)
    del query["ordering"]
    return f"?{query.urlencode()}"


def choices() -> dict[str, Any]:
    """Give what the filters offer: states, images, and environments that devices serve; one query, two remembered."""
    return {
        "states": REQUEST.stored(),
        "images": list(Image.objects.order_by("name").values_list("name", flat=True)),
        "environments": sorted({kind.environment for kind in stock.get(clock.now())}),
    }
