"""What people and programs ask of Mozpool: file, renew and return a request."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError

from devices import journal
from devices.models import Device, Image
from devices.models.image import OWN_IMAGES
from lifeguard.services import check_image_fits
from mozpool_site import clock
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying
from requests_app.claims import could_match, match_waiting, rivals_waiting, try_to_match
from requests_app.machine import is_failed, request_runner
from requests_app.matching import ANY
from requests_app.models import Request
from requests_app.states import REQUEST


@dataclass(frozen=True)
class Order:
    """What somebody asks for. `device` is None for any; `boot_config` has a value for each of the image's keys."""

    image: Image
    assignee: str
    duration: int
    device: Device | None = None
    environment: str = ANY
    boot_config: Mapping[str, object] = field(default_factory=dict)
    tags: Sequence[str] = ()
    priority: int = 0


def file_request(order: Order, *, by: Actor) -> Request:
    """File a request and try at once to find its device.

    The request is given as it is then: with a device, waiting, or ended at once (`failed_device_busy` when
    the named device is taken, `failed_bad_device` when it is out of the pool). Raises InvalidInputError
    for a duration out of range, a missing key, or a named device that the image can't be put on.
    """
    check_duration(order.duration)
    if order.image.name in OWN_IMAGES:
        raise InvalidInputError(f"{order.image.name} is no image that can be requested", field="image")
    if order.device is not None:
        check_image_fits(order.device, order.image)
    boot_config = _canonical(order)
    key = str(uuid4())
    try:
        request = _file(order, boot_config, by, key)
    except IntegrityError:
        # The database died after the commit and before its answer: what was tried again is there already.
        request = Request.objects.get(filing_key=key)
    if request.state == "finding_device" and order.device is None and could_match(request):
        # Something is free, but others were here first.
        match_waiting()
        request.refresh_from_db()
    return request


@retrying
@journal.gathered()
def _file(order: Order, boot_config: str, by: Actor, key: str) -> Request:
    now = clock.now()
    first_in_turn = not rivals_waiting(order.environment, order.priority).exists()
    request = Request.objects.create(
        state="finding_device",
        deadline=now + timedelta(seconds=float(str(REQUEST["finding_device"].timeout))),
        requested_device=order.device,
        environment=order.environment,
        tags=list(order.tags),
        image=order.image,
        boot_config=boot_config,
        assignee=order.assignee,
        owner=by.name[:100],
        priority=order.priority,
        filing_key=key,
        created=now,
        state_since=now,
        expires=now + timedelta(seconds=order.duration),
    )
    filed = journal.line("entering state finding_device", now, request_id=request.pk, by=by, event="filed")
    journal.append([filed])
    if order.device is None:
        if first_in_turn:
            try_to_match(request, now)
    elif not try_to_match(request, now):
        device = Device.objects.get(pk=order.device.pk)
        if device.held_by is not None:
            request_runner.deliver_locked(request, Event("device_taken"), now)
        elif is_failed(device):
            request_runner.deliver_locked(request, Event("device_failed"), now)
    return request


def renew(request_id: int, duration: int, *, by: Actor) -> Request:
    """Set the seconds left, counted from now. Raises ConflictError when the request has ended."""
    check_duration(duration)

    @retrying
    def transact() -> Request:
        request, now = _lock(request_id)
        if request.ended is not None:
            raise ConflictError(f"request {request.pk} has ended: it is {request.state}", field="state")
        request.expires = now + timedelta(seconds=duration)
        request.save(update_fields=["expires"])
        line = journal.line(f"renewed for {duration} s", now, request_id=request.pk, by=by, event="renewed")
        journal.append([line])
        return request

    return transact()


def return_request(request_id: int, *, by: Actor) -> Request:
    """Give the device back. Doing it again is fine."""

    @retrying
    def transact() -> Request:
        request, now = _lock(request_id)
        if request.ended is None:
            request_runner.deliver_locked(request, Event("return"), now, by=by)
        return request

    return transact()


def check_duration(duration: int) -> None:
    """Raise InvalidInputError unless a duration is a whole number of seconds that we allow."""
    longest = settings.MOZPOOL_MAX_DURATION
    if not 1 <= duration <= longest:
        raise InvalidInputError(
            f"whole seconds from 1 to {longest} expected, got {duration}", field="duration"
        )


def _canonical(order: Order) -> str:
    """Write the boot config so that equal ones are equal as text."""
    missing = [key for key in order.image.boot_config_keys if key not in order.boot_config]
    if missing:
        raise InvalidInputError(f"image {order.image.name} needs {missing[0]}", field=missing[0])
    return json.dumps({key: order.boot_config[key] for key in order.image.boot_config_keys}, sort_keys=True)


def _lock(request_id: int) -> tuple[Request, datetime]:
    try:
        return request_runner.lock(request_id)
    except Request.DoesNotExist:
        raise UnknownNameError(f"there is no request {request_id}", field="request") from None
