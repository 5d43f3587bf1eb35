"""What devices there are, counted by kind and condition: what a request may hope for.

Two queries, one of which groups the whole pool: so it is remembered for a moment, and read anew before anybody is
turned away.
"""

from collections import Counter, defaultdict
from datetime import datetime

from django.db.models import Count, Min, Q, TextField
from django.db.models.functions import MD5, Cast

from devices.models import Device
from requests_app.conditions import Condition, Stock, condition
from requests_app.memory import Memory
from requests_app.outages import racks_down
from requests_app.planning.pool import Kind


def _read(now: datetime) -> Stock:
    # No rack has the id 0; an empty list would be no condition at all.
    down = Q(rack_id__in=racks_down(now) or {0})
    # Tags are a text without a bound; MySQL would group by it on its disk, but by a digest of it in memory.
    rows = list(
        Device.objects.order_by()
        .annotate(held=Q(held_by__isnull=False), down=down, mark=MD5(Cast("tags", TextField())))
        .values_list("environment", "hardware_type_id", "mark", "state", "held", "down")
        .annotate(number=Count("pk"), example=Min("pk"))
    )
    examples = {row[2]: row[-1] for row in rows}
    tags = dict(Device.objects.filter(pk__in=examples.values()).values_list("pk", "tags"))
    found: defaultdict[Kind, Counter[Condition]] = defaultdict(Counter)
    for environment, hardware, mark, state, held, rack_down, number, _ in rows:
        kind = Kind(environment, hardware, frozenset(tags.get(examples[mark], ())))
        found[kind][condition(state, held=bool(held), rack_down=bool(rack_down))] += number
    return dict(found)


# How many devices of each kind are in each condition, some seconds old.
stock: Memory[Stock] = Memory(_read, 2.0)
