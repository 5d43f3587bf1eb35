"""Tells how the pulses are, from what they have left in the database."""

from collections.abc import Iterator
from datetime import datetime

from devices.models import Rack
from devices.models.rack import pulse_is_silent
from lifeguard.pulse.scope import Scope
from mozpool_site.commands import shown, span
from mozpool_site.pulse import parking
from requests_app.models import PoolLease


def lines(scope: Scope, now: datetime) -> Iterator[str]:
    """Yield a line for each rack, each lease, and each row that is parked."""
    racks = Rack.objects.all() if scope.racks is None else Rack.objects.filter(pk__in=scope.racks)
    for name, seen in racks.order_by("name").values_list("name", "pulse_seen"):
        if seen is None:
            yield f"rack {name}: no pulse was ever seen"
        else:
            silent = " (silent: its devices are offered to nobody)" if pulse_is_silent(seen, now) else ""
            yield f"rack {name}: timers served {_ago(seen, now)}{silent}"
    for lease in PoolLease.objects.order_by("name"):
        over = lease.until is None or lease.until < now
        yield f"{lease.name}: {'nobody looks after it' if over else f'looked after by {lease.owner}'}"
    parked = parking.parked(now).order_by("first")
    for row in parked:
        retry = span(max(0.0, (row.until - now).total_seconds()))
        failed = f"failed {row.times} times since {_ago(row.first, now)}, next try in {retry}"
        yield f"parked: {row}, {failed}: {shown(row.error)}"
    if not parked:
        yield "nothing is parked"


def _ago(moment: datetime, now: datetime) -> str:
    return f"{span(max(0.0, (now - moment).total_seconds()))} ago"
