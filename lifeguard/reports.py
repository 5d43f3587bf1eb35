"""Delivers what an operation found: to the device's machine, or to the journal when a person asked for it."""

from datetime import datetime, timedelta

from bmm import operations
from bmm.models import Kind, Operation, Status
from bmm.operations import TIMES, Answer, Outcome
from devices import journal
from lifeguard.machine import device_runner
from lifeguard.states import DEVICE
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import patiently, retrying

# Three more devices of a rack that fall silent within two minutes: its network is to blame, not they.
_SILENT_DEVICES = 3
_SILENT_WITHIN = timedelta(minutes=2)
_POLLABLE = (Answer.FAILED, Answer.UNREACHABLE)


def report(operation: Operation, outcome: Outcome) -> None:
    """Store an outcome and let it act; a database that is away is waited for as long as the operation is ours."""
    patiently(lambda: store(operation, outcome), TIMES[Kind(operation.kind)].lease)


def store(operation: Operation, outcome: Outcome) -> None:
    """Store an outcome and let it act, in one transaction: a crash in between can lose neither alone."""
    if operation.device_id is None:
        # What a controller answered is in its own row, where whoever asked looks.
        _close_question(operation, outcome)
    elif operation.poll is not None and outcome.answer in _POLLABLE:
        operations.try_again_later(operation, clock.now())
    elif operation.state_seq is None:
        _close_manual(operation, outcome)
    else:
        _close(operation, outcome)


@retrying
def _close_question(operation: Operation, outcome: Outcome) -> None:
    operations.finish(operation, outcome, clock.now())


@retrying
def _close(operation: Operation, outcome: Outcome) -> None:
    device, now = device_runner.lock(operation.device_id)
    if (
        operation.kind == Kind.CHECK_HEALTH
        and outcome.answer == Answer.FAILED
        and _rack_silent(operation, now)
    ):
        outcome = Outcome(Answer.UNREACHABLE, f"{outcome.message}; so do others of rack {device.rack}")
    event = Event(outcome.event(operation.kind), {"message": outcome.message})
    if not operations.finish(operation, outcome, now):
        device_runner.note(device, event, f"late: operation {operation.pk} was called off", now, Actor())
        return
    well_as_ever = outcome.answer == Answer.OK and "quiet" in DEVICE[device.state].tags
    if outcome.message and not well_as_ever:
        journal.append([journal.line(outcome.message, now, device_id=device.pk, event=event.name)])
    device_runner.deliver_locked(device, event, now, fence={"state_seq": operation.state_seq})


def _rack_silent(operation: Operation, now: datetime) -> bool:
    others = Operation.objects.filter(
        rack=operation.rack_id,
        kind=Kind.CHECK_HEALTH,
        status=Status.FAILED,
        finished__gte=now - _SILENT_WITHIN,
    ).exclude(device=operation.device_id)
    return others.values("device").distinct().count() >= _SILENT_DEVICES


@retrying
def _close_manual(operation: Operation, outcome: Outcome) -> None:
    now = clock.now()
    if operations.finish(operation, outcome, now):
        told = outcome.message or outcome.answer
        message = f"{operation.get_kind_display()} asked for by {operation.actor}: {told}"
        by = Actor(operation.actor, "user")
        event = outcome.event(operation.kind)
        journal.append([journal.line(message, now, device_id=operation.device_id, by=by, event=event)])
