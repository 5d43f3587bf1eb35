"""The pool as it is, read for those who decide about it: how many devices of each kind are what.

One query groups the whole pool: so it is remembered for a moment, and read anew before anybody is turned away.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q

from devices.models import Device, HardwareType, ImageBootConfig
from devices.models.rack import pulse_is_silent
from lifeguard.quarantine import QUARANTINED, is_quarantined
from mozpool_site.errors import ImpossibleError
from requests_app.claims import demands_of
from requests_app.free_devices import outages
from requests_app.memory import Memory
from requests_app.models import Request
from requests_app.planning.availability import Availability, Reason, Stock, availability
from requests_app.planning.impossible import Asked, impossible
from requests_app.planning.pool import DeviceSnapshot, Kind

# The columns that decide whether a device serves, for `availability_of`.
COLUMNS = (
    "state", "held_by", "rack__pulse_seen", "power_controller__suspect_until", "health", "quarantine_by", "gone_since",
)  # fmt: skip


def availability_of(
    row: Mapping[str, Any], now: datetime, held_until: datetime | None = None
) -> Availability:
    """Return whether the device of a row of COLUMNS serves."""
    snapshot = DeviceSnapshot(
        state=row["state"],
        held=row["held_by"] is not None,
        held_until=held_until,
        rack_silent=pulse_is_silent(row["rack__pulse_seen"], now),
        suspect_until=row["power_controller__suspect_until"],
        quarantined=is_quarantined(row["health"], row["quarantine_by"]),
        gone=row["gone_since"] is not None,
    )
    return availability(snapshot, now)


def row_of(device: Device) -> dict[str, Any]:
    """Return the row of COLUMNS of a device that is loaded, with its rack and its power controller."""
    controller = device.power_controller
    suspect_until = controller.suspect_until if controller else None
    values = (
        device.state, device.held_by, device.rack.pulse_seen, suspect_until, device.health, device.quarantine_by,
        device.gone_since,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _read(now: datetime) -> Stock:
    known = outages.get(now)
    suspect_until = max(known.controllers.values(), default=None)
    rows = (
        Device.objects.order_by()
        .annotate(
            held=Q(held_by__isnull=False),
            silent=Q(
                rack_id__in=known.racks or {0}
            ),  # no rack has the id 0, and an empty list is no condition
            suspect=Q(power_controller_id__in=[*known.controllers] or {0}, power_controller_id__isnull=False),
            quarantined=QUARANTINED,
            gone=Q(gone_since__isnull=False),
        )
        .values("kind_id", "state", "held", "silent", "suspect", "quarantined", "gone")
        # Of one kind all are the same; MySQL would group by a text without a bound on its disk.
        .annotate(
            number=Count("pk"),
            environment=Min("kind__environment"),
            hardware=Min("kind__hardware_type"),
            tags=Min("kind__tags"),
        )
    )
    found: defaultdict[Kind, Counter[Reason]] = defaultdict(Counter)
    for row in rows:
        snapshot = DeviceSnapshot(
            state=row["state"],
            held=bool(row["held"]),
            rack_silent=bool(row["silent"]),
            suspect_until=suspect_until if row["suspect"] else None,
            quarantined=bool(row["quarantined"]),
            gone=bool(row["gone"]),
        )
        kind = Kind(row["environment"], row["hardware"], frozenset(row["tags"]))
        found[kind][availability(snapshot, now).reason] += row["number"]
    return dict(found)


# How many devices of each kind are what, some seconds old.
stock: Memory[Stock] = Memory(_read, 2.0)


def refuse_impossible(request: Request, now: datetime) -> None:
    """Raise ImpossibleError unless some device may meet the request some day.

    What is remembered of the pool may let one pass that is impossible since a moment ago, but turns nobody away.
    """
    (demand,) = demands_of([request])
    asked = _asked(request)
    if impossible(demand, asked, stock.get(now)) is None:
        return
    found = impossible(demand, asked, stock.anew(now))
    if found is not None:
        raise ImpossibleError(found.detail, field=found.field)


def _asked(request: Request) -> Asked:
    matrix = ImageBootConfig.objects.filter(image=request.image_id, boot_config__active=True)
    device = request.requested_device
    return Asked(
        image=request.image.name,
        installable=frozenset(matrix.values_list("hardware_type_id", flat=True)),
        hardware_names={type_.pk: f"{type_.kind}/{type_.model}" for type_ in HardwareType.objects.order_by()},
        hardware=request.hardware_id,
        device=device.name if device else None,
        kind=Kind(device.environment, device.hardware_type_id, frozenset(device.tags)) if device else None,
    )
