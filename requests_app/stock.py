"""What devices there are, counted by kind and condition: what a request may hope for.

One query that groups the whole pool, so it is remembered for a moment, and read anew before anybody is turned away.
"""

from collections import Counter, defaultdict
from datetime import datetime

from django.db.models import Count, Q

from devices.models import Device
from requests_app.conditions import Condition, Stock, condition
from requests_app.matching import Kind
from requests_app.memory import Memory
from requests_app.outages import racks_down


def _read(now: datetime) -> Stock:
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
    return dict(found)


# How many devices of each kind are in each condition, some seconds old.
stock: Memory[Stock] = Memory(_read, 2.0)
