"""What devices there are, counted by kind and condition: what a request may hope for.

One query that groups the whole pool, so it is remembered for a moment, and read anew before anybody is turned away.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from django.db.models import Count, Q

from devices.models import Device
from lifeguard.states import DEVICE
from requests_app.matching import Kind
from requests_app.outages import racks_down

_REMEMBERED_SECONDS = 2.0
_FAILED = frozenset(DEVICE.tagged("failed"))
_HANDS_OFF = frozenset({"maintenance_mode", "troubleshooting", "unknown"})


class Condition(StrEnum):
    """What a device is to somebody who waits; each value is how a sentence calls it."""

    FREE = "free"
    IN_USE = "in use"
    PREPARING = "being prepared"
    RACK_DOWN = "in racks that are down"
    MAINTENANCE = "in maintenance"
    FAILED = "out of order"
    LOCKED_OUT = "locked out"


# Those that serve somebody sooner or later without a human.
AT_WORK = (Condition.FREE, Condition.PREPARING, Condition.IN_USE)
Stock = Mapping[Kind, Counter[Condition]]

_known: Stock = {}
_known_until = 0.0


def condition(state: str, *, held: bool, rack_down: bool) -> Condition:
    """Say what a device in a state is to somebody who waits."""
    if state == "locked_out":
        return Condition.LOCKED_OUT
    if state in _FAILED:
        return Condition.FAILED
    if rack_down:
        return Condition.RACK_DOWN
    if held:
        return Condition.IN_USE
    if state in _HANDS_OFF:
        return Condition.MAINTENANCE
    return Condition.FREE if state == "ready" else Condition.PREPARING


def stock(now: datetime) -> Stock:
    """Give how many devices of each kind are in each condition, at most two seconds old."""
    return _known if time.monotonic() < _known_until else stock_now(now)


def stock_now(now: datetime) -> Stock:
    """Give the same as it is now; one query."""
    global _known, _known_until
    # No rack has the id 0; an empty list would be no condition at all.
    down = Q(rack_id__in=racks_down(now) or {0})
    rows = (
        Device.objects.order_by()
        .annotate(held=Q(held_by__isnull=False), down=down)
        .values_list("environment", "hardware_type_id", "tags", "state", "held", "down")
        .annotate(number=Count("pk"))
    )
    found: defaultdict[Kind, Counter[Condition]] = defaultdict(Counter)
    for environment, hardware, tags, state, held, rack_down, number in rows:
        kind = Kind(environment, hardware, frozenset(tags))
        found[kind][condition(state, held=bool(held), rack_down=bool(rack_down))] += number
    _known, _known_until = dict(found), time.monotonic() + _REMEMBERED_SECONDS
    return _known


def forget() -> None:
    """Look anew the next time."""
    global _known_until  # noqa: PLW0603 - see above
    _known_until = 0.0
