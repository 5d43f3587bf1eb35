"""Who waits, by what they want: the first in turn of each wish, however many stand behind.

A wish is known by its number (matching.wish_number), which is a digest of what is wanted: what a process remembers of
a number holds for ever.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet

from devices.models import ImageBootConfig
from mozpool_site import clock
from mozpool_site.compiled import CompiledQuery, Parameter
from requests_app.models import Request
from requests_app.planning.pool import Wish

# There are some hundreds where images, environments and tags are; more are no pool that we have heard of.
_REMEMBERED = 20_000

# MariaDB jumps from wish to wish in the index for a DISTINCT of its first columns, not for a MIN of the next one; then
# the first of each wish is a dive or two.
_FIRSTS = """
    SELECT line.wish,
        (SELECT turn FROM requests_app_request WHERE state = %s AND wish = line.wish ORDER BY turn, id LIMIT 1),
        (SELECT id FROM requests_app_request WHERE state = %s AND wish = line.wish ORDER BY turn, id LIMIT 1)
    FROM (SELECT DISTINCT state, wish FROM requests_app_request WHERE state = %s AND wish > 0) AS line
"""


class Turn(NamedTuple):
    """A place in line: the request's turn, then its number."""

    turn: datetime
    request_id: int


@dataclass(frozen=True)
class _Wanted:
    """What a number stands for."""

    image_id: int
    environment: str
    hardware_id: int | None
    tags: frozenset[str]


_known: dict[int, _Wanted] = {}


def waiting() -> QuerySet[Request]:
    """Select requests that wait for a device."""
    return Request.objects.filter(state="finding_device")


def firsts() -> dict[int, Turn]:
    """Return the first in turn of each wish for any device."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRSTS, ["finding_device"] * 3)
        return {wish: Turn(clock.aware(turn), pk) for wish, turn, pk in cursor.fetchall() if turn is not None}


def next_of(wish: int, after: Turn | None = None) -> Turn | None:
    """Return the first in turn of a wish, behind a place."""
    if after is None:
        first = next(_first_of(wish=wish), None)
    else:
        first = next(_next_of(wish=wish, turn=after.turn, request=after.request_id), None)
    return None if first is None else Turn(*first)


def _line() -> QuerySet[Request, tuple[datetime, int]]:
    wish = Parameter("wish", Request._meta.get_field("wish"))
    return waiting().filter(wish=wish).order_by("turn", "pk").values_list("turn", "pk")


def _behind() -> QuerySet[Request, tuple[datetime, int]]:
    turn, request = Parameter("turn", Request._meta.get_field("turn")), Parameter("request", Request._meta.pk)
    return _line().filter(Q(turn__gt=turn) | Q(turn=turn, pk__gt=request), turn__gte=turn)


_first_of = CompiledQuery(lambda: _line()[:1])
_next_of = CompiledQuery(lambda: _behind()[:1])


def wishes(examples: Mapping[int, int]) -> dict[int, Wish]:
    """Return what numbers stand for, as images can be installed now, by the request of each that is given."""
    if len(_known) > _REMEMBERED:
        _known.clear()
    if unknown := [request for number, request in examples.items() if number not in _known]:
        _learn(unknown)
    wanted = {number: _known[number] for number in examples if number in _known}
    hardware = installable({one.image_id for one in wanted.values()})
    return {number: _wish(one, hardware) for number, one in wanted.items()}


def installable(images: Collection[int] | None = None) -> Mapping[int, frozenset[int]]:
    """Return the types of hardware that images, or all, have an active boot config for."""
    if images is not None and not images:
        return {}
    found: defaultdict[int, set[int]] = defaultdict(set)
    for image, hardware in _matrix(None if images is None else frozenset(images))():
        found[image].add(hardware)
    return {image: frozenset(types) for image, types in found.items()}


@lru_cache(maxsize=64)
def _matrix(images: frozenset[int] | None) -> CompiledQuery[tuple[int, int]]:
    cells = ImageBootConfig.objects.filter(boot_config__active=True).order_by()
    if images is not None:
        cells = cells.filter(image__in=images)
    return CompiledQuery(lambda: cells.values_list("image_id", "hardware_type_id"))


def _wish(wanted: _Wanted, hardware: Mapping[int, frozenset[int]]) -> Wish:
    types = hardware.get(wanted.image_id, frozenset())
    if wanted.hardware_id is not None:
        types &= {wanted.hardware_id}
    return Wish(types, wanted.environment, wanted.tags)


def _learn(requests: Collection[int]) -> None:
    columns = ("wish", "image_id", "environment", "hardware_id", "tags")
    for number, image, environment, hardware, tags in Request.objects.filter(pk__in=requests).values_list(
        *columns
    ):
        _known[number] = _Wanted(image, environment, hardware, frozenset(tags))
