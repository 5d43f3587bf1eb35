"""What every page shows around its content: who looks, where they can go, and how much needs attention."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from mozpool_site.access.roles import Role
from mozpool_site.errors import MozpoolError
from mozpool_site.version import VERSION
from pages import attention
from pages.access import Person, person_of


@dataclass(frozen=True)
class Place:
    """Somewhere that the navigation leads to. `least` may see it; `current` while we are there.

    `count` is how much there wants to be looked at.
    """

    label: str
    path: str
    least: Role = Role.VIEWER
    current: bool = False
    count: int = 0


ATTENTION = Place("Attention", "/attention/")
PLACES = (
    Place("Home", "/"),
    Place("Requests", "/requests/"),
    Place("Devices", "/devices/"),
    Place("Racks", "/racks/"),
    Place("Hardware", "/bmm/"),
    Place("Images", "/images/"),
    Place("Statistics", "/statistics/"),
    ATTENTION,
    Place("Admin", "/admin/", Role.OPERATOR),
)


def shell(request: HttpRequest) -> Mapping[str, Any]:
    """Give templates `caller` (None for a stranger), `places`, `version`. Asks nothing unless the template does."""
    return {
        "caller": SimpleLazyObject(lambda: _caller(request)),
        "places": SimpleLazyObject(lambda: _places(request)),
        "version": VERSION,
    }


def _caller(request: HttpRequest) -> Person | None:
    try:
        person = person_of(request)
    except MozpoolError:
        return None
    return person if person.name else None


def _places(request: HttpRequest) -> list[Place]:
    caller = _caller(request)
    if caller is None:
        return []
    here = request.path_info
    return [
        Place(
            one.label,
            one.path,
            one.least,
            here == one.path or (one.path != "/" and here.startswith(one.path)),
            attention.count(caller) if one is ATTENTION else 0,
        )
        for one in PLACES
        if caller.may(one.least)
    ]
