"""Brings free devices and waiting requests together in the database. The ranking itself is in matching.py.

A claim is the lock of a row that is found free and the UPDATE of its next step, in one transaction. A row that
somebody else has locked is passed over, device or request, never waited for: it may be held for long. What is passed
over is looked at again by the pulse.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from devices.models import Device, Image, ImageBootConfig
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from requests_app.free_kinds import (
    FreeKind,
    having_image,
    kinds_for,
    lock_best,
    lock_named,
    lock_one_of_kind,
)
from requests_app.machine import request_runner
from requests_app.matching import Demand, suits
from requests_app.models import Request
from requests_app.waiting.wishes import firsts, wishes

# Whoever has locked a named device is mostly claiming it: who asked for it is told, if that takes no longer.
_NAMED_PATIENCE_SECONDS, _LOOK_AGAIN_SECONDS = 3.0, 0.02


def demands_of(requests: Iterable[Request]) -> list[Demand]:
    """Read what requests want, in one query for all; their images are loaded with them."""
    wanted = list(requests)
    matrix = ImageBootConfig.objects.filter(image__in={r.image_id for r in wanted}, boot_config__active=True)
    hardware: dict[int, set[int]] = defaultdict(set)
    for image_id, hardware_id in matrix.values_list("image_id", "hardware_type_id"):
        hardware[image_id].add(hardware_id)
    return [_demand(request, frozenset(hardware[request.image_id])) for request in wanted]


def demand_of(request: Request) -> Demand:
    """Read what one request wants; what its image can be installed on is kept with the image, for the next step."""
    return _demand(request, frozenset(request.image.installers))


def _demand(request: Request, hardware: frozenset[int]) -> Demand:
    asked = request.hardware_id
    return Demand(
        request_id=request.pk,
        turn=request.turn,
        image_id=request.image_id,
        boot_config=request.boot_config,
        reusable=request.image.reusable,
        hardware=hardware if asked is None else hardware & {asked},
        environment=request.environment,
        tags=frozenset(request.tags),
        device_id=request.requested_device_id,
    )


def try_to_match(request: Request, now: datetime, *, overtaking: bool = True) -> bool:
    """Find and claim a device for a locked request in `finding_device`; return whether it has one.

    Without `overtaking` it gets none that somebody who is served before it may want.
    """
    demand = demand_of(request)
    if demand.device_id is None:
        device = _lock_any(demand, request.image, now, overtaking=overtaking)
    else:
        device = lock_named(demand, demand.device_id)
    if device is None:
        return False
    # It is locked and free; the UPDATE of its step, in this transaction, says whose it is now.
    device.held_by = request.pk
    request_runner.deliver_locked(request, Event("matched", {"device": device}), now)
    return True


def reserve(device_id: int) -> None:
    """Lock a device for a request that is about to name it, in the open transaction, if that can be had in a moment.

    The new row locks it, too, for its foreign key's sake, but shared: of many who name it at once nobody would get it.
    """
    end = time.monotonic() + _NAMED_PATIENCE_SECONDS
    while device_runner.lock_one_of(Device.objects.filter(pk=device_id)) is None and time.monotonic() < end:
        time.sleep(_LOOK_AGAIN_SECONDS)


def could_match(request: Request) -> bool:
    """Whether any device is free that fits a request for any."""
    return bool(kinds_for(demand_of(request), request.image, clock.now()))


def _lock_any(demand: Demand, image: Image, now: datetime, *, overtaking: bool) -> Device | None:
    """Lock the best free device that nobody else has locked: with the image, or the longest idle of its kind."""
    kinds = kinds_for(demand, image, now)
    if not kinds or not (overtaking or _is_first(demand, kinds)):
        return None
    having = having_image(demand, kinds, now) if demand.reusable else []
    # The very best first; where rivals are after that one too, any of its equals will do.
    if having and (device := lock_best(having, now)):
        return device
    return next((device for kind in kinds if (device := lock_one_of_kind(kind, now))), None)


def _is_first(demand: Demand, kinds: Iterable[FreeKind]) -> bool:
    """Whether nobody who waits and is served before a new request may want a device of these kinds."""
    own = (demand.turn, demand.request_id)
    before = {wish: place.request_id for wish, place in firsts().items() if place < own}
    return not any(suits(wish, free.kind) for wish in wishes(before).values() for free in kinds)
