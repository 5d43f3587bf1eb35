"""Empties a power controller's queue: all that waits goes through one connection, power work in batches.

Whoever holds the controller's lease works for everybody; the others go home.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from functools import partial

from django.db.models import QuerySet

from bmm import by_hand, controller_lease
from bmm.controllers import driver_of, rest_after
from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver
from bmm.errors import Misconfigured
from bmm.models import QUESTIONS, Kind, Operation, Status
from bmm.operations import (
    POWER_KINDS,
    TIMES,
    Answer,
    Outcome,
    call_off,
    claim,
    claim_all,
    for_former_holder,
    ring,
)
from bmm.power_batch import carry_out, prepare
from bmm.questions import ask
from devices.models import PowerController
from mozpool_site import clock
from mozpool_site.transactions import impatient, is_contention, is_impatient, patiently

logger = logging.getLogger(__name__)

Report = Callable[[Operation, Outcome], None]

# Seconds that one task may drain; with a last batch of 20 s it stays below the longest lease of an ordinary controller.
_LONGEST_TURN = 12.0
# Of a batch's 20 s, what devices that go on one after the other may take: half, for they are switched off first, and a
# controller may have to be found again.
_STAGGERING_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0
# Whoever is asked for during a cycle waits for the whole of it, so a burst is let come in first: looked at so often,
# and waited for so long at most.
_GATHER_SECONDS = 0.1
_LONGEST_GATHERING = 0.6


def drain(controller_id: int, report: Report) -> int:
    """Carry out the power operations that are due on a controller; give how many, 0 when another drains it.

    After twelve seconds somebody else is rung for the rest, so that no task lasts longer than a lease.
    """
    done = 0
    enough = Deadline.after(_LONGEST_TURN)
    while (waiting := _due(controller_id, clock.now()).first()) is not None:
        if enough.expired:
            ring(waiting)
            break
        if not controller_lease.take(controller_id):
            break
        rest = 0.0
        try:
            controller = PowerController.objects.get(pk=controller_id)
            driver = driver_of(controller)
            rest = rest_after(driver)
            if driver.by_hand:
                served = _ask_people(controller, driver, report)
            else:
                served = _batches(controller, driver, enough, report)
        except Misconfigured as error:
            served = _answer_all(controller_id, Outcome(Answer.MISCONFIGURED, str(error)), report)
        finally:
            controller_lease.give_back(controller_id, rest)
        done += served
        if not served:
            break
    return done


def _batches(controller: PowerController, driver: PowerDriver, enough: Deadline, report: Report) -> int:
    done = 0
    if not driver.takes_late:
        _gather(controller.pk)
    with driver.connected():
        while not enough.expired and controller_lease.keep(controller.pk, driver.extra_seconds):
            # Power first: a device waits for it. What is only asked is asked one by one, each with its own time.
            batch = _claim_batch(controller.pk, driver) or _claim_question(controller.pk)
            if not batch:
                break
            kind = Kind(batch[0].kind)
            times = TIMES[kind].extended(driver.extra_seconds if kind in POWER_KINDS else 0)
            deadline = Deadline.after(times.deadline)
            late = []
            for operation, outcome in _work(controller, driver, batch, deadline):
                done += 1
                if not _told_at_once(report, operation, outcome):
                    late.append((operation, outcome))
            for operation, outcome in late:
                _tell(report, operation, outcome)
    return done


def _gather(controller_id: int) -> None:
    """Wait while more and more operations come, for a controller whose cycles take none that come late."""
    seen, enough = 0, Deadline.after(_LONGEST_GATHERING)
    while not enough.expired and (waiting := _due(controller_id, clock.now()).count()) > seen:
        seen = waiting
        time.sleep(_GATHER_SECONDS)


def _told_at_once(report: Report, operation: Operation, outcome: Outcome) -> bool:
    """Report one operation of a batch; False when a lock is in the way, for which the others must not wait."""
    with impatient():
        return _tell(report, operation, outcome)


def _tell(report: Report, operation: Operation, outcome: Outcome) -> bool:
    """Report one operation of a batch; one that can't be reported is given up with its lease, the rest are told."""
    try:
        report(operation, outcome)
    except Exception as error:
        if is_impatient() and is_contention(error):
            return False
        logger.exception("the outcome of operation %s can't be reported: %s", operation.pk, outcome)
    return True


def _work(
    controller: PowerController, driver: PowerDriver, batch: list[Operation], deadline: Deadline
) -> Iterator[tuple[Operation, Outcome]]:
    first = Kind(batch[0].kind)
    if first in QUESTIONS:
        return iter([(batch[0], ask(first, controller, driver, deadline))])
    late = partial(_claim_batch, controller.pk, driver, (Kind.POWER_CYCLE,))
    return carry_out(controller, driver, batch, deadline, late)


def _most_at_once(driver: PowerDriver) -> int | None:
    """Say how many devices may go on in one batch; None for all."""
    if driver.stagger_seconds <= 0:
        return None
    return max(1, int(_STAGGERING_SECONDS / driver.stagger_seconds))


def _ask_people(controller: PowerController, driver: PowerDriver, report: Report) -> int:
    batch = _claim_batch(controller.pk, driver)
    for operation in batch:
        outcome = prepare(operation) or patiently(
            partial(by_hand.look, operation, controller.pk, clock.now()), _PATIENCE_SECONDS
        )
        _tell(report, operation, outcome)
    asked = 0
    while question := _claim_question(controller.pk):
        kind = Kind(question[0].kind)
        _tell(report, question[0], ask(kind, controller, driver, Deadline.after(TIMES[kind].deadline)))
        asked += 1
    return len(batch) + asked


def _claim_batch(
    controller_id: int,
    driver: PowerDriver | None = None,
    kinds: Collection[Kind] = POWER_KINDS,
    busy: Collection[str] = (),
) -> list[Operation]:
    """Claim what is due and fits one batch; of an outlet that is busy none, of two that share one the first."""
    now = clock.now()
    first: dict[str, Operation] = {}
    waiting = (
        _due(controller_id, now)
        .filter(kind__in=kinds)
        .select_related("device__next_image", "device__netboot", "device__rack")
    )
    for operation in waiting.order_by("pk"):
        if for_former_holder(operation):
            patiently(partial(call_off, operation), _PATIENCE_SECONDS)
            continue
        # Two operations of one outlet can't share a batch; the device's own lock refuses the second anyway.
        if operation.of_device.outlet not in busy:
            first.setdefault(operation.of_device.outlet or f"none of {operation.pk}", operation)
    if not first:
        return []
    most, extra = (_most_at_once(driver), driver.extra_seconds) if driver else (None, 0.0)
    return patiently(partial(claim_all, list(first.values())[:most], now, extra), _PATIENCE_SECONDS)


def _claim_question(controller_id: int) -> list[Operation]:
    """Claim one question, the oldest; none where none waits."""
    now = clock.now()
    for operation in _due(controller_id, now).filter(kind__in=QUESTIONS).order_by("pk"):
        if patiently(partial(claim, operation, now), _PATIENCE_SECONDS):
            return [operation]
    return []


def _answer_all(controller_id: int, outcome: Outcome, report: Report) -> int:
    answered = 0
    while batch := _claim_batch(controller_id) or _claim_question(controller_id):
        for operation in batch:
            _tell(report, operation, outcome)
        answered += len(batch)
    return answered


def _due(controller_id: int, now: datetime) -> QuerySet[Operation]:
    return Operation.objects.filter(controller_id=controller_id, status=Status.QUEUED, not_before__lte=now)
