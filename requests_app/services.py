"""What people and programs ask of Mozpool: file, renew and return a request."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError

from devices import journal
from devices.models import Device, HardwareType, Image
from devices.models.image import OWN_IMAGES
from lifeguard.services import check_image_fits
from mozpool_site import clock
from mozpool_site.errors import ConflictError, IdempotencyMismatchError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying
from requests_app import quota
from requests_app.claims import could_match, reserve, try_to_match
from requests_app.facts import is_failed
from requests_app.machine import request_runner
from requests_app.matching import HIGHEST_PRIORITY, LOWEST_PRIORITY, turn
from requests_app.models import Request
from requests_app.planning.pool import ANY
from requests_app.serving import IN_PASSING, match_waiting
from requests_app.snapshot import refuse_impossible
from requests_app.states import REQUEST
from requests_app.webhooks import outbox
from requests_app.webhooks.services import attach
from requests_app.webhooks.targets import Target


@dataclass(frozen=True)
class Order:
    """What somebody asks for. `boot_config` has a value for each of the image's keys.

    `device` and `hardware` are None for any; `priority` is from -10 to 10.
    """

    image: Image
    assignee: str
    duration: int
    device: Device | None = None
    environment: str = ANY
    hardware: HardwareType | None = None
    boot_config: Mapping[str, object] = field(default_factory=dict)
    tags: Sequence[str] = ()
    priority: int = 0
    webhook: Target | None = None


@dataclass(frozen=True)
class Filing:
    """One call that files, perhaps repeated: `key` is its own alone, `digest` that of its body.

    `refuse_impossible`: what no device could ever meet is not filed at all. Old clients expect it to be, and to fail.
    """

    key: str = field(default_factory=lambda: str(uuid4()))
    digest: str = ""
    refuse_impossible: bool = False


def filing_for(idempotency_key: str, body: bytes, *, by: Actor) -> Filing:
    """Give the filing of a caller's Idempotency-Key; the same key of another caller is another filing."""
    key = hashlib.sha256(f"{by.name}\n{idempotency_key}".encode()).hexdigest()
    return Filing(key, hashlib.sha256(body).hexdigest(), refuse_impossible=True)


def filed_before(filing: Filing) -> Request | None:
    """Give the request that the same call filed already. Raises IdempotencyMismatchError where its body was another."""
    if not filing.digest:
        return None  # nobody repeats a call that has no name
    return _filed(filing)


def _filed(filing: Filing) -> Request | None:
    request = Request.objects.select_related("image").filter(filing_key=filing.key).first()
    if request is not None and request.filing_digest != filing.digest:
        raise IdempotencyMismatchError(
            f"this Idempotency-Key filed request {request.pk}, with another body; take a new key",
            field="Idempotency-Key",
        )
    return request


def file_request(order: Order, *, by: Actor) -> Request:
    """File a request and try at once to find its device.

    The request is given as it is then: with a device, waiting, or ended at once (`failed_device_busy` when
    the named device is taken, `failed_bad_device` when it is out of the pool). Raises InvalidInputError
    for a duration or priority out of range, a missing key, or a named device that the image can't be put on,
    TooManyError for one above the quota.
    """
    return file_once(order, by=by, filing=Filing())[0]


def file_once(order: Order, *, by: Actor, filing: Filing) -> tuple[Request, bool]:
    """File a request as file_request does, unless the same call filed it before; then give that one, and True.

    Raises ImpossibleError where the filing refuses what nothing could ever meet, and IdempotencyMismatchError.
    """
    _check(order, named=not filing.refuse_impossible)
    boot_config = _canonical(order)
    try:
        request = _file(order, boot_config, by, filing)
    except IntegrityError:
        # The database died after the commit and before its answer, or the caller sent the same again meanwhile.
        before = _filed(filing)
        if before is None:
            raise
        return before, bool(filing.digest)
    if request.state == "finding_device" and order.device is None and could_match(request):
        # Something is free, but others were here first.
        match_waiting(IN_PASSING)
        request.refresh_from_db()
    return request, False


@retrying
@journal.gathered()
def _file(order: Order, boot_config: str, by: Actor, filing: Filing) -> Request:
    if order.device is not None:
        reserve(order.device.pk)
    now = clock.now()
    in_line = turn(now, order.priority)
    request = Request.objects.create(
        state="finding_device",
        deadline=now + timedelta(seconds=float(str(REQUEST["finding_device"].timeout))),
        requested_device=order.device,
        environment=order.environment,
        hardware=order.hardware,
        tags=list(order.tags),
        image=order.image,
        boot_config=boot_config,
        assignee=order.assignee,
        owner=by.name[:100],
        priority=order.priority,
        turn=in_line,
        filing_key=filing.key,
        filing_digest=filing.digest,
        created=now,
        state_since=now,
        expires=now + timedelta(seconds=order.duration),
        has_webhook=order.webhook is not None,
    )
    # After its row is there: the same call sent again has met that row's key before it is counted.
    quota.check(request.owner)
    if order.webhook is not None:
        attach(request, order.webhook, now)
    outbox.tell_of_request(request, "", now)
    filed = journal.line("entering state finding_device", now, request_id=request.pk, by=by, event="filed")
    journal.append([filed])
    if order.device is not None:
        _file_for_device(request, order.device, filing, now)
    elif not try_to_match(request, now, overtaking=False) and filing.refuse_impossible:
        refuse_impossible(request, now)
    return request


def _file_for_device(request: Request, device: Device, filing: Filing, now: datetime) -> None:
    """Try to give a request the device that it names; fail it at once where that one is taken or out of the pool."""
    if filing.refuse_impossible:
        refuse_impossible(request, now)
    if try_to_match(request, now):
        return
    device = Device.objects.get(pk=device.pk)
    if device.held_by is not None:
        request_runner.deliver_locked(request, Event("device_taken"), now)
    elif is_failed(device):
        request_runner.deliver_locked(request, Event("device_failed"), now)


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


@retrying
def note_foreign_event(request_id: int, name: str, *, by: Actor) -> None:
    """Journal an event that nobody may send to a request, as old clients expect an answer of 200 for it."""
    request, now = _lock(request_id)
    ignored = f"ignored event {name} in state {request.state}"
    journal.append([journal.line(ignored, now, request_id=request.pk, by=by, event=name)])


def check_duration(duration: int) -> None:
    """Raise InvalidInputError unless a duration is a whole number of seconds that we allow."""
    longest = settings.MOZPOOL_MAX_DURATION
    if not 1 <= duration <= longest:
        raise InvalidInputError(
            f"whole seconds from 1 to {longest} expected, got {duration}", field="duration"
        )


def _check(order: Order, *, named: bool) -> None:
    """Check what needs no lock; that the image can be put on a named device only where that is not worded better."""
    check_duration(order.duration)
    if not LOWEST_PRIORITY <= order.priority <= HIGHEST_PRIORITY:
        raise InvalidInputError(
            f"a priority from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY} expected", field="priority"
        )
    if order.image.name in OWN_IMAGES:
        raise InvalidInputError(f"{order.image.name} is no image that can be requested", field="image")
    if named and order.device is not None:
        check_image_fits(order.device, order.image)


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
