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
from mozpool_site import clock, compiled
from mozpool_site.errors import ConflictError, IdempotencyMismatchError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.statemachine.spec import TIMEOUT
from mozpool_site.transactions import retrying, unlocked_soon
from requests_app import lease, quota
from requests_app.claims import could_match, reserve, try_to_match
from requests_app.facts import is_failed
from requests_app.machine import request_runner
from requests_app.matching import HIGHEST_PRIORITY, LOWEST_PRIORITY, turn
from requests_app.models import Request, store_tags
from requests_app.planning.pool import ANY
from requests_app.serving import IN_PASSING, match_waiting
from requests_app.snapshot import refuse_impossible
from requests_app.webhooks import outbox
from requests_app.webhooks.services import attach
from requests_app.webhooks.targets import Target


@dataclass(frozen=True)
class Order:
    """What somebody asks for. `boot_config` has a value for each of the image's keys.

    `device` and `hardware` are None for any; `priority` is from -10 to 10. `duration` is what the owner has from
    `ready` on, `max_wait` how long to wait for a device (0: now or never), both in seconds. `legacy`: as the legacy
    API promises, the duration is counted from filing, and a named device that is taken is not waited for.
    """

    image: Image
    assignee: str
    duration: int
    max_wait: int = lease.USUAL_WAIT
    legacy: bool = False
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

    The request is given as it is then: with a device, waiting, or ended at once (`failed_device_busy` and
    `failed_device_not_found` when it does not wait for a named device or any, `failed_bad_device` when the named one
    is out of the pool). Raises InvalidInputError for a duration, wait or priority out of range, a missing key, or a
    named device that the image can't be put on, TooManyError for one above the quota.
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
        _after_rivals(request)
    if request.state == "finding_device" and order.max_wait == 0:
        request = request_runner.deliver(request.pk, Event(TIMEOUT)).row
    return request, False


@retrying
def _after_rivals(request: Request) -> None:
    """Read a request as it is, when whoever serves it at this moment is done; not after a longer wait."""
    unlocked_soon(Request.objects.filter(pk=request.pk))
    request.refresh_from_db()


@retrying
@journal.gathered()
def _file(order: Order, boot_config: str, by: Actor, filing: Filing) -> Request:
    if order.device is not None:
        reserve(order.device.pk)
    now = clock.now()
    in_line = turn(now, order.priority)
    waits_until = now + timedelta(seconds=order.max_wait)
    request = Request(
        state="finding_device",
        deadline=waits_until,
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
        duration=None if order.legacy else order.duration,
        expires=now + timedelta(seconds=order.duration),
        has_webhook=order.webhook is not None,
    )
    lease.wait_until(request, waits_until)
    compiled.insert(request)
    store_tags(request)
    # After its row is there: the same call sent again has met that row's key before it is counted.
    quota.check(request.owner)
    if order.webhook is not None:
        attach(request, order.webhook, now)
    outbox.tell_of_request(request, "", now)
    filed = journal.line("entering state finding_device", now, request_id=request.pk, by=by, event="filed")
    journal.append([filed])
    if order.device is not None:
        _file_for_device(request, order.device, filing, now, queue=not order.legacy)
    elif not try_to_match(request, now, overtaking=False) and filing.refuse_impossible:
        refuse_impossible(request, now)
    return request


def _file_for_device(request: Request, device: Device, filing: Filing, now: datetime, *, queue: bool) -> None:
    """Try to give a request the device that it names, and fail it at once where that one is out of the pool.

    `queue`: while it is taken, wait for it; else fail at once then, too.
    """
    if filing.refuse_impossible:
        refuse_impossible(request, now)
    if try_to_match(request, now):
        return
    device = Device.objects.get(pk=device.pk)
    if device.held_by is not None:
        if not queue:
            request_runner.deliver_locked(request, Event("device_taken"), now)
    elif is_failed(device):
        request_runner.deliver_locked(request, Event("device_failed"), now)


def renew(request_id: int, duration: int, *, by: Actor) -> Request:
    """Set the seconds left, counted from now, or from `ready` on where the time has not begun.

    Raises ConflictError when the request has ended.
    """
    check_duration(duration)

    @retrying
    def transact() -> Request:
        request, now = _lock(request_id)
        if request.ended is not None:
            raise ConflictError(f"request {request.pk} has ended: it is {request.state}", field="state")
        lease.renew(request, duration, now)
        request.save(update_fields=["expires", "duration"])
        line = journal.line(f"renewed for {duration} s", now, request_id=request.pk, by=by, event="renewed")
        journal.append([line])
        return request

    return transact()


def return_request(request_id: int, *, by: Actor) -> Request:
    """Give the device back. Doing it again is fine."""

    @retrying
    @journal.gathered()
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
    journal.append_ignored(journal.line(ignored, now, request_id=request.pk, by=by, event=name))


def check_duration(duration: int) -> None:
    """Raise InvalidInputError unless a duration is a whole number of seconds that we allow."""
    longest = settings.MOZPOOL_MAX_DURATION
    if not 1 <= duration <= longest:
        raise InvalidInputError(
            f"whole seconds from 1 to {longest} expected, got {duration}", field="duration"
        )


def check_max_wait(max_wait: int) -> None:
    """Raise InvalidInputError unless a request may wait for so many seconds."""
    longest = settings.MOZPOOL_MAX_WAIT
    if not 0 <= max_wait <= longest:
        raise InvalidInputError(
            f"whole seconds from 0 to {longest} expected, got {max_wait}", field="max_wait"
        )


def _check(order: Order, *, named: bool) -> None:
    """Check what needs no lock; that the image can be put on a named device only where that is not worded better."""
    check_duration(order.duration)
    check_max_wait(order.max_wait)
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
