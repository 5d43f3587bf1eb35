"""What was last done to the hardware of some devices: the newest ping and the newest switching of each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db.models import Max, Q

from bmm.models import Kind, Operation
from mozpool_site.by_row import by_row

_POWER = (Kind.POWER_CYCLE, Kind.POWER_OFF)


@dataclass(frozen=True)
class LastDone:
    """The newest operations of one device; None where none is remembered."""

    ping: Operation | None = None
    power: Operation | None = None


def last_done(device_ids: Collection[int]) -> Mapping[int | None, LastDone]:
    """Give what was last done, by device. Two queries."""
    kinds = by_row(Q(kind__in=(Kind.PING, *_POWER)))
    of_these = Operation.objects.filter(kinds, device_id__in=list(device_ids))
    newest = of_these.order_by().values("device_id", "kind").annotate(newest=Max("pk"))
    operations = Operation.objects.filter(pk__in=[row["newest"] for row in newest]).order_by("pk")
    found: dict[int | None, LastDone] = {}
    for operation in operations:
        known = found.get(operation.device_id, LastDone())
        found[operation.device_id] = (
            LastDone(operation, known.power)
            if operation.kind == Kind.PING
            else LastDone(known.ping, operation)
        )
    return found
