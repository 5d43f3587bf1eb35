"""The request table bound to the request's row."""

from datetime import datetime, timedelta
from typing import ClassVar, cast

from django.db import transaction

from devices import journal
from devices.models import Device
from lifeguard.machine import device_runner
from lifeguard.retiring import retire_locked
from lifeguard.services import please_locked
from mozpool_site import compiled
from mozpool_site.statemachine.machine import Event, Step
from mozpool_site.statemachine.runner import Actor, Runner
from mozpool_site.statemachine.spec import Spec, Work
from requests_app import lease
from requests_app.facts import StoredFacts
from requests_app.models import Request
from requests_app.signals import device_released
from requests_app.states import ENDED_STATES, REQUEST
from requests_app.webhooks import outbox


class RequestRunner(Runner[Request]):
    """Runs the life of requests."""

    spec: ClassVar[Spec] = REQUEST
    model = Request
    columns: ClassVar[tuple[str, ...]] = (
        "task_seq", "last_device_id", "matched_at", "waits_until", "ready_at", "expires", "ended",
    )  # fmt: skip

    def facts(self, row: Request, event: Event, now: datetime) -> StoredFacts:
        """Load what the table may ask."""
        return StoredFacts(row, event, now)

    def work_waiting(self, row: Request, now: datetime) -> bool:
        """A request starts no operations of its own."""
        return False

    def write(self, name: str, row: Request, event: Event, facts: object, now: datetime, by: Actor) -> None:
        """Ask Lifeguard, follow the device to another task, let go of it, or go on looking for another one."""
        if name == "ask_lifeguard":
            _ask_lifeguard(row, event, now)
        elif name == "follow_device":
            tasks = Device.objects.filter(held_by=row.pk).values_list("task_seq", flat=True)
            row.task_seq = next(iter(tasks), row.task_seq)
        elif name == "release":
            _release(row, now)
        elif name == "search_on":
            lease.wait_until(row, now + timedelta(seconds=lease.search_seconds(row, now)))
        else:
            raise ValueError(f"the request table names an unknown write {name!r}")

    def settle(self, row: Request, now: datetime) -> None:
        """Note when the request first had its device, which begins its time, and when it ended."""
        if row.state == "ready" and row.ready_at is None:
            lease.begin(row, now)
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
        journal.append_ignored(journal.line(message, now, request_id=row.pk, by=by, event=event.name))

    def announce(self, row: Request, event: Event, old_state: str, by: Actor) -> None:
        """Nobody above listens yet."""


request_runner = RequestRunner()


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
    is_idle = device.state == "ready"
    # What was booted for this request, also by hand, ends here. A boot that the machine waits for goes on to its end.
    device.boot_seq += is_idle
    free = {"held_by": None, "idle_since": now if is_idle else None, "boot_seq": device.boot_seq}
    if compiled.update(Device, free, id=device.pk, held_by=request.pk):
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
