"""Power that a person switches: what an operation makes of it, and how a person says that it is done.

Nobody waits with a lease in hand. An operation whose turn it is looks at its task and, unless somebody has confirmed
it, goes back into the queue for five seconds, as one that polls a device does. So a task outlives workers and
restarts, and ends with what wants it: the state's own deadlines (four hours, see lifeguard/bounds.py), or after four
hours where a person asked past Lifeguard.
"""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from bmm.models import OPEN, HandTask, Operation, Status
from bmm.operations import Answer, Outcome, ring
from devices import journal
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

POLL_SECONDS = 5.0
_PATIENCE = timedelta(hours=4)
# A state that tries again begins a new operation; what was confirmed for the one before it counts for so long.
_FRESH = timedelta(seconds=10)


def look(operation: Operation, controller_id: int, now: datetime) -> Outcome:
    """Say whether a person has done what a controller's operation asks for; else ask, and look again later."""
    task = _open_task(operation, controller_id)
    if task is not None and task.done_at is not None:
        _close(task)
        if task.done_at > operation.created - _FRESH:
            return Outcome(Answer.OK, f"switched by hand by {task.done_by}")
        task = None
    if operation.state_seq is None and now - operation.created > _PATIENCE:
        if task is not None:
            _close(task)
        _poll(operation, None)
        return Outcome(Answer.UNREACHABLE, "nobody switched it by hand in four hours")
    task = task or _ask(operation, controller_id, now)
    _poll(operation, POLL_SECONDS)
    return Outcome(Answer.UNREACHABLE, f"task {task.pk} waits for a person: {task}")


def with_need(tasks: QuerySet[HandTask]) -> QuerySet[HandTask]:
    """Add to each task `wanted`: whether it is open and something still waits for it."""
    waiting = Operation.objects.filter(device_id=OuterRef("open_for"), kind=OuterRef("kind"), status__in=OPEN)
    return tasks.annotate(wanted=Exists(waiting))


@retrying
def confirm(task_id: int, *, by: Actor) -> bool:
    """Note that a person has done a task, and wake what waits for it; False when nothing does any more."""
    now = clock.now()
    task = HandTask.objects.select_for_update().get(pk=task_id)
    waiting = Operation.objects.filter(device_id=task.device_id, kind=task.kind, status__in=OPEN).first()
    if task.open_for is None or task.done_at is not None or waiting is None:
        return False
    task.done_at, task.done_by = now, by.name[:100]
    task.save(update_fields=["done_at", "done_by"])
    done = f"done by hand: {task}"
    journal.append([journal.line(done, now, device_id=task.device_id, by=by, event="hand_task")])
    if Operation.objects.filter(pk=waiting.pk, status=Status.QUEUED).update(not_before=now):
        ring(waiting)
    return True


def _open_task(operation: Operation, controller_id: int) -> HandTask | None:
    """Find the device's open task if it is this one; another one is called off."""
    task = HandTask.objects.filter(open_for=operation.device_id).select_related("controller").first()
    wanted = (operation.kind, controller_id, operation.of_device.outlet)
    if task is not None and (task.kind, task.controller_id, task.outlet) != wanted:
        _close(task)
        return None
    return task


def _ask(operation: Operation, controller_id: int, now: datetime) -> HandTask:
    device = operation.of_device
    task = HandTask.objects.create(
        device_id=device.pk,
        controller_id=controller_id,
        outlet=device.outlet,
        kind=operation.kind,
        asked_by=operation.actor or "Lifeguard",
        asked_at=now,
        open_for=device.pk,
    )
    asked = f"a person is asked: {task} (task {task.pk})"
    journal.append([journal.line(asked, now, device_id=device.pk, event="hand_task")])
    return task


def _close(task: HandTask) -> None:
    HandTask.objects.filter(pk=task.pk).update(open_for=None)


def _poll(operation: Operation, seconds: float | None) -> None:
    """Have an outcome that is no success put the operation back for so long; None: have it close."""
    if operation.poll != seconds:
        operation.poll = seconds
        Operation.objects.filter(pk=operation.pk).update(poll=seconds)
