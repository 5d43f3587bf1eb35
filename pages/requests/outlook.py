"""What a request would meet if it were filed now: devices that match, and about how long it would wait. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mozpool_site.errors import ImpossibleError
from requests_app import lease
from requests_app.facts import is_failed
from requests_app.matching import turn
from requests_app.models import Request
from requests_app.services import Order
from requests_app.snapshot import refuse_impossible, row_of
from requests_app.waiting import why
from requests_app.waiting.why import Waiting

# Stands behind all who wait with the same turn.
_LAST = 2**62


@dataclass(frozen=True)
class Outlook:
    """Either why nothing can ever match (`impossible`, of the field `field`), or what it would wait for.

    `fails`: nothing is free and it would not wait, or the named device is out of the pool: the request would fail at
    once. `late`: it would probably fail before it has a device.
    """

    impossible: str = ""
    field: str = ""
    waiting: Waiting | None = None
    fails: bool = False
    late: bool = False


def outlook(order: Order, now: datetime) -> Outlook:
    """Say what would become of an order; what is remembered of the pool is some seconds old."""
    request = Request(
        image=order.image,
        requested_device=order.device,
        environment=order.environment,
        hardware=order.hardware,
        tags=list(order.tags),
        priority=order.priority,
        turn=turn(now, order.priority),
    )
    try:
        refuse_impossible(request, now)
    except ImpossibleError as error:
        return Outlook(error.detail, error.field or "")
    waiting = why.explain([_row(request)], {}, now)[_LAST]
    device = order.device
    fails = is_failed(device) or (order.max_wait == 0 and waiting.reason != "being_matched")
    return Outlook(
        waiting=waiting, fails=fails, late=lease.too_late(waiting.estimate_seconds, order.max_wait)
    )


def _row(request: Request) -> dict[str, Any]:
    """Write a request that is not stored as a row of why.COLUMNS."""
    device = request.requested_device
    return {
        "pk": _LAST,
        "turn": request.turn,
        "state": "finding_device",
        "matched_at": None,
        "image_id": request.image_id,
        "environment": request.environment,
        "tags": request.tags,
        "hardware_id": request.hardware_id,
        "requested_device_id": request.requested_device_id,
        "requested_device__name": device and device.name,
        **{f"requested_device__{one}": value for one, value in (row_of(device) if device else {}).items()},
        "requested_device__environment": device and device.environment,
        "requested_device__hardware_type_id": device and device.hardware_type_id,
        "requested_device__tags": device and device.tags,
    }
