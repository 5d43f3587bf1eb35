"""The request table bound to the request's row."""

from datetime import datetime
from typing import ClassVar, cast

from django.db import transaction

from devices import journal
from devices.models import Device
from devices.models.device import Result
from lifeguard.machine import device_runner
from lifeguard.retiring import retire_locked
from lifeguard.services import please_locked
from lifeguard.states import DEVICE
from mozpool_site.statemachine.machine import Event, Step
from mozpool_site.statemachine.runner import Actor, Runner
from mozpool_site.statemachine.spec import Spec, Work
from requests_app.models import Request
from requests_app.signals import device_released
from requests_app.states import ENDED_STATES, REQUEST, RequestFacts
from requests_app.webhooks import outbox

# A named device may be prepared for as long as the request lives.
_NO_LIMIT = 1_000_000
_FAILED = frozenset(DEVICE.tagged("failed"))


class RequestRunner(Runner[Request]):
    """Runs the life of requests."""

    spec: ClassVar[Spec] = REQUEST
    model = Request
    columns: ClassVar[tuple[str, ...]] = ("task_seq", "last_device_id", "matched_at", "ready_at", "ended")

    def facts(self, row: Request, now: datetime) -> RequestFacts:
        """Load what the table may ask."""
        named = row.requested_device_id is not None
        searching = row.state == "finding_device"
        return RequestFacts(
            named=named,
            named_device_failed=named and searching and is_failed(row.requested_device),
            # While it searches it holds no device, and the answer would cost a query.
            device_answer="gone" if searching else device_answer(row),
            search_limit=2 if named else 60,
            pending_limit=_NO_LIMIT if named else 20,
        )

    def work_waiting(self, row: Request, now: datetime) -> bool:
        """A request starts no operations of its own."""
        return False

    def write(self, name: str, row: Request, event: Event, facts: object, now: datetime, by: Actor) -> None:
        """Ask Lifeguard, or let go of the device."""
        if name == "ask_lifeguard":
            _ask_lifeguard(row, event, now)
        elif name == "release":
            _release(row, now)
        else:
            raise ValueError(f"the request table names an unknown write {name!r}")

    def settle(self, row: Request, now: datetime) -> None:
        """Note when the request first had its device, and when it ended."""
        if row.state == "ready" and row.ready_at is None:
            row.ready_at = now
        if row.state in ENDED_STATES:
            row.ended = now

    def start(self, row: Request, work: Work, not_before: datetime, now: datetime) -> None:
        """Refuse: no state of a request works."""
        raise ValueError(f"the request table starts {work.kind}, but requests have no operations")

    def supersede(self, row: Request) -> None:
        """Nothing to call off."""

    def journal(
        self, row: Request, event: Event, decision: Step, old_state: str, now: datetime, by: Actor
    ) -> None:
        """Append a line for each state entered, and put what webhooks are to be told into the outbox."""
        outbox.tell_of_request(row, old_state, now)
        journal.append(journal.steps(decision, event, old_state, now, by, request_id=row.pk))

    def note(self, row: Request, event: Event, message: str, now: datetime, by: Actor) -> None:
        """Append that an event had no effect."""
        journal.append([journal.line(message, now, request_id=row.pk, by=by, event=event.name)])

    def announce(self, row: Request, event: Event, old_state: str, by: Actor) -> None:
        """Nobody above listens yet."""


request_runner = RequestRunner()


def is_failed(device: Device | None) -> bool:
    """Whether a device is out of the pool."""
    return device is not None and device.state in _FAILED


def device_answer(request: Request) -> str:
    """Say what the device that a request holds makes of its task; the words are those of RequestFacts."""
    device = Device.objects.filter(held_by=request.pk).first()
    if device is None:
        return "gone"
    if device.task_seq == request.task_seq and device.result == Result.BAD_IMAGE:
        return "bad_image"
    if device.task_seq == request.task_seq and device.result == Result.BAD_DEVICE:
        return "bad_device"
    if is_failed(device):
        return "bad_device"
    if device.state != "ready":
        return "waiting"
    has_image = (device.image_id, device.boot_config) == (request.image_id, request.boot_config)
    return "complete" if has_image else "wrong_image"


def asking(request_id: int) -> Actor:
    """Name a request as the one who asks Lifeguard for something."""
    return Actor(f"request {request_id}")


def _ask_lifeguard(request: Request, event: Event, now: datetime) -> None:
    # Whoever matched them has locked the device already, and leaves it to this step to store who holds it.
    matched = event.arguments.get("device")
    claimed = ("held_by",) if isinstance(matched, Device) else ()
    device = matched if isinstance(matched, Device) else device_runner.lock(held_by=request.pk)[0]
    by = asking(request.pk)
    on_it_already = (device.image_id, device.boot_config) == (request.image_id, request.boot_config)
    if request.image.reusable and on_it_already:
        device = please_locked(device, "power_cycle", now, by=by, changed=claimed)
    else:
        device = please_locked(
            device,
            "image",
            now,
            by=by,
            image=request.image,
            boot_config=request.boot_config,
            changed=claimed,
        )
    request.task_seq = device.task_seq
    request.last_device = device
    if matched is not None:
        request.matched_at = now


def _release(request: Request, now: datetime) -> None:
    try:
        device, _ = device_runner.lock(held_by=request.pk)
    except Device.DoesNotExist:
        return
    freed = Device.objects.filter(pk=device.pk, held_by=request.pk).update(
        held_by=None, idle_since=now if device.state == "ready" else None
    )
    if freed:
        line = journal.line(
            f"released by request {request.pk}", now, device_id=device.pk, request_id=request.pk
        )
        journal.append([line])
        if device.gone_since is not None:
            # Its inventory has dropped it meanwhile: nobody else gets it.
            device.held_by = None
            retire_locked(device, now)
        transaction.on_commit(
            lambda: device_released.send(cast("type", RequestRunner), device_id=device.pk), robust=True
        )
