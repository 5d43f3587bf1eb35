"""Delivers what an operation found: to the device's machine, or to the journal when a person asked for it."""

from bmm import operations
from bmm.models import Operation
from bmm.operations import Answer, Outcome
from devices import journal
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

_POLLABLE = (Answer.FAILED, Answer.UNREACHABLE)


def report(operation: Operation, outcome: Outcome) -> None:
    """Store an outcome and let it act, in one transaction: a crash in between can lose neither alone."""
    if operation.poll is not None and outcome.answer in _POLLABLE:
        operations.try_again_later(operation, clock.now())
    elif operation.state_seq is None:
        _close_manual(operation, outcome)
    else:
        _close(operation, outcome)


@retrying
def _close(operation: Operation, outcome: Outcome) -> None:
    device, now = device_runner.lock(operation.device_id)
    event = Event(outcome.event(operation.kind))
    if not operations.finish(operation, outcome, now):
        device_runner.note(device, event, f"late: operation {operation.pk} was called off", now, Actor())
        return
    if outcome.message:
        journal.append([journal.line(outcome.message, now, device_id=device.pk, event=event.name)])
    device_runner.deliver_locked(device, event, now, fence={"state_seq": operation.state_seq})


@retrying
def _close_manual(operation: Operation, outcome: Outcome) -> None:
    now = clock.now()
    if operations.finish(operation, outcome, now):
        told = outcome.message or outcome.answer
        message = f"{operation.get_kind_display()} asked for by {operation.actor}: {told}"
        by = Actor(operation.actor, "user")
        event = outcome.event(operation.kind)
        journal.append([journal.line(message, now, device_id=operation.device_id, by=by, event=event)])
