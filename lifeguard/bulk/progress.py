"""Carries batches out, a device at a time, and notices what has ended; any number of processes may do so at once.

A device's turn is one transaction: its claim, what is asked of it, and what came of asking. So whoever is killed
leaves it unasked, and nobody asks twice.
"""

import time
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from bmm.models import OPEN, Operation, Status
from devices import journal
from devices.models import Journal
from devices.models.device import Result
from lifeguard.bulk.judging import RESTING, Judgement, Seen, judge
from lifeguard.bulk.models import UNSETTLED, Batch, BatchItem, Progress
from lifeguard.bulk.verbs import VERBS, Ask, Asked, Verb, verb_named
from mozpool_site import clock
from mozpool_site.compiled import CompiledQuery
from mozpool_site.contained import contained
from mozpool_site.errors import MozpoolError
from mozpool_site.slices import delete_some
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

_LONGEST = 300
# Items looked at in one go; what is left comes with the next look, a second later at most.
_SLICE = 500
_TURNS = 20
# Open batches that one look cares for, each with its share of the time; the oldest first.
_BATCHES = 20


def advance(batch_id: int | None = None, *, budget_seconds: float) -> bool:
    """Ask for what waits, for about `budget_seconds`, and store what has ended; of one batch, or of all that are open.

    Gives whether anything is left to come. At least one device of each batch gets its turn, however small the budget.
    """
    batches = Batch.objects.filter(finished=None).order_by("pk")
    mine = list(_open_batches() if batch_id is None else batches.filter(pk=batch_id))
    for batch in mine:
        with contained("bulk action %s can't go on; next try with the next look", batch.pk):
            _ask_waiting(batch, time.monotonic() + budget_seconds / len(mine))
            _settle(batch)
    if not mine:
        return False
    return batches.filter(**{} if batch_id is None else {"pk": batch_id}).exists()


_open_batches = CompiledQuery(lambda: Batch.objects.filter(finished=None).order_by("pk")[:_BATCHES])


def prune_some(before: datetime) -> int:
    """Forget some batches that ended before a moment, with their items; return how many."""
    return delete_some(Batch.objects.filter(finished__lt=before).order_by("finished", "pk"), _BATCHES)


def _ask_waiting(batch: Batch, until: float) -> None:
    waiting = BatchItem.objects.filter(batch=batch, progress=Progress.WAITING).order_by("pk")
    while numbers := list(waiting.values_list("pk", flat=True)[:_TURNS]):
        for number in numbers:
            _turn(batch, number)
            if time.monotonic() >= until:
                return


def _turn(batch: Batch, item_id: int) -> None:
    """Give one device its turn. What no service foresaw is logged, told as broken, and holds up no other device."""
    item = BatchItem.objects.filter(pk=item_id, progress=Progress.WAITING)
    broken = "this went wrong inside Mozpool; the server's log says how"
    with contained(
        "bulk action %s failed for its item %s",
        batch.pk,
        item_id,
        failed=lambda: item.update(progress=Progress.FAILED, ended=clock.now(), message=broken),
    ):
        _ask(batch, item_id)


@retrying
def _ask(batch: Batch, item_id: int) -> None:
    now = clock.now()
    row = BatchItem.objects.filter(pk=item_id, progress=Progress.WAITING)
    if not row.update(progress=Progress.ASKED, asked=now):
        return  # somebody else was quicker, or has stopped it
    item = BatchItem.objects.select_related("device").get(pk=item_id)
    try:
        verb = verb_named(batch.verb)
        # A refusal undoes whatever the service did before it refused, and leaves the claim.
        with transaction.atomic():
            asked = verb.apply(_share(batch, item))
    except MozpoolError as error:
        _end(item, Judgement(Progress.REFUSED, error.detail), now)
        return
    if batch.reason and not verb.keeps_reason:
        _note(batch, verb, item, now)
    _begin(item, asked, now)


def _share(batch: Batch, item: BatchItem) -> Ask:
    by = Actor(batch.actor, batch.source, batch.address)
    return Ask(item.device, batch.arguments, by, batch.reason, item.expected)


def _begin(item: BatchItem, asked: Asked, now: datetime) -> None:
    if asked.operation is None and asked.task_seq is None:
        _end(item, Judgement(Progress.DONE, asked.message), now)
        return
    item.operation, item.task_seq, item.message = asked.operation, asked.task_seq, asked.message[:_LONGEST]
    item.save(update_fields=["operation", "task_seq", "message"])


def _end(item: BatchItem, judgement: Judgement, now: datetime) -> None:
    BatchItem.objects.filter(pk=item.pk).update(
        progress=judgement.progress, ended=now, message=judgement.message[:_LONGEST]
    )


def _note(batch: Batch, verb: Verb, item: BatchItem, now: datetime) -> None:
    by = Actor(batch.actor, batch.source, batch.address)
    told = f"{verb.label.lower()} asked for by {batch.actor}: {batch.reason}"
    journal.append([journal.line(told, now, device_id=item.device_id, by=by, event="bulk")])


def _settle(batch: Batch) -> None:
    """Store what has ended since the last look, and that the batch has when nothing is left."""
    asked = BatchItem.objects.filter(batch=batch, progress=Progress.ASKED).order_by("pk")
    verb = VERBS.get(batch.verb)
    ended = _arrived(asked, verb) if verb is not None and verb.goal else _operated(asked)
    now = clock.now()
    for item_id, judgement in ended:
        # Not where somebody else has told it already.
        BatchItem.objects.filter(pk=item_id, progress=Progress.ASKED).update(
            progress=judgement.progress, ended=now, message=judgement.message[:_LONGEST]
        )
    if not BatchItem.objects.filter(batch=batch, progress__in=UNSETTLED).exists():
        Batch.objects.filter(pk=batch.pk, finished=None).update(finished=now)


def _arrived(asked: QuerySet[BatchItem], verb: Verb) -> Iterator[tuple[int, Judgement]]:
    """Judge the devices that have come to the end of their way: they rest, have a result, or do something else."""
    there = Q(device__state__in=RESTING) | ~Q(device__task_seq=F("task_seq"))
    if verb.new_task:
        there |= ~Q(device__result=Result.PENDING)
    items = list(asked.filter(there).select_related("device")[:_SLICE])
    arrived = _arrivals([item for item in items if item.device.task_seq != item.task_seq], verb.goal)
    for item in items:
        device = item.device
        seen = Seen(
            device.state, device.task_seq, device.result, device.quarantine_reason, item.pk in arrived
        )
        judgement = judge(verb.goal, item.task_seq, seen, new_task=verb.new_task)
        if judgement is not None:
            yield item.pk, judgement


def _arrivals(items: list[BatchItem], goal: str) -> set[int]:
    """Tell of items whose devices have been given another task, whether they reached the goal before: by number."""
    if not items:
        return set()
    asked = {item.device_id: (item.pk, item.asked) for item in items if item.asked is not None}
    since = min(when for _, when in asked.values())
    lines = Journal.objects.filter(device_id__in=list(asked), time__gte=since, to_state=goal)
    entered = ((asked[device], when) for device, when in lines.values_list("device_id", "time") if device)
    return {number for (number, since), when in entered if when >= since}


def _operated(asked: QuerySet[BatchItem]) -> Iterator[tuple[int, Judgement]]:
    """Judge the items whose operation is over."""
    under_way = Operation.objects.filter(pk=OuterRef("operation"), status__in=OPEN)
    over = list(asked.filter(~Exists(under_way)).values_list("pk", "operation")[:_SLICE])
    operations = Operation.objects.in_bulk([number for _, number in over if number is not None])
    for item_id, number in over:
        operation = operations.get(number or 0)
        if operation is None:
            yield item_id, Judgement(Progress.FAILED, "nobody knows any more: it is too long ago")
        else:
            done = operation.status == Status.DONE
            told = operation.message or ("" if done else f"it is {operation.get_status_display()}")
            yield item_id, Judgement(Progress.DONE if done else Progress.FAILED, told)
