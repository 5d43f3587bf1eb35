"""Operations that are due or overdue, and those whose runner is gone."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import QuerySet

from bmm import operations
from bmm.models import Operation, Status
from bmm.operations import Answer, Outcome
from bmm.run import run
from lifeguard.pulse.scope import Patience, Scope
from lifeguard.reports import report, store
from mozpool_site.compiled import Parameter
from mozpool_site.pulse.due import Due
from mozpool_site.pulse.loop import Loop

logger = logging.getLogger(__name__)

RING_AGAIN_AFTER = timedelta(seconds=3)
# Between two looks at operations that fall due one after the other.
_BREATH = timedelta(seconds=0.1)
# One try of a poll takes no longer, as a rule: the deadline of those that wait for a silent device.
_BACK_WITHIN = timedelta(seconds=3.5)


class Lost(Loop):
    """Reports operations whose runner is gone."""

    name = "lost work"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope
        self._due = Due(_lost)

    def look(self, now: datetime) -> None:
        """Look once."""
        lost = self._due.rows(only=self.scope.of_operations, but=self.parking.numbers(now), now=now)
        for operation in self.within_budget(lost):
            with self.parking.apart(operation.pk):
                if operation.status == Status.RUNNING:
                    logger.warning("operation %s is lost: runner %s is gone", operation.pk, operation.runner)
                    store(operation, Outcome(Answer.LOST, f"runner {operation.runner} is gone"))
                else:
                    operations.let_go(operation)


class Operations(Loop):
    """Rings for operations that are due, and runs what nobody came for, in a few threads."""

    name = "operations"

    def __init__(self, scope: Scope, patience: Patience, threads: int = 8) -> None:
        super().__init__()
        self.scope = scope
        self._patience = patience
        self._pool = ThreadPoolExecutor(threads, "pulse-operation")
        self._running: dict[str, Future[None]] = {}
        self._soon = Due(_queued)
        self._rung: dict[tuple[int, int], datetime] = {}
        self._under_way: dict[int, datetime] = {}

    def look(self, now: datetime) -> datetime | None:
        """Look once; return when the next one will be due, where that is within the second."""
        following = None
        rung: dict[tuple[int, int], datetime] = {}
        soon = self._soon.rows(
            only=self.scope.of_operations, but=self.parking.numbers(now), now=now + self.every
        )
        for operation in soon:
            self._under_way.pop(operation.pk, None)
            if operation.not_before > now:
                following = max(operation.not_before, now + _BREATH)
                break
            attempt = (operation.pk, operation.attempts)
            last = self._rung.get(attempt)
            unheard = now - operation.not_before >= self._patience.operations
            if self._patience.serves(operation.rack_id, now, unheard=unheard):
                self._begin(operation)
                last = now
            elif self._wants_bell(operation, last, now):
                operations.ring(operation)
                last = now
            if last:
                rung[attempt] = last
                if operation.poll is not None:
                    self._under_way[operation.pk] = last
        self._rung = rung
        self._under_way = {pk: at for pk, at in self._under_way.items() if now - at < _BACK_WITHIN}
        # What is polled is queued again soon, nobody knows when, for a moment a fifth of a second later.
        return min(following or now + self.every, now + _BREATH) if self._under_way else following

    def end(self, seconds: float) -> bool:
        """Let hardware that is being switched come to its end, and begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        begun = [future for future in self._running.values() if not future.cancelled()]
        return not wait(begun, max(0.0, seconds)).not_done

    def _wants_bell(self, operation: Operation, last: datetime | None, now: datetime) -> bool:
        if not self._patience.bells:
            return False
        if last is not None:
            return now - last >= RING_AGAIN_AFTER
        # Whoever queued it has rung, unless it was to wait.
        waited = operation.not_before > operation.created
        return waited or now - operation.not_before >= RING_AGAIN_AFTER

    def _begin(self, operation: Operation) -> None:
        for key in [key for key, future in self._running.items() if future.done()]:
            del self._running[key]
        # One connection per controller: the first operation brings the others along.
        of_power = operation.controller_id is not None
        key = f"controller {operation.controller_id}" if of_power else f"operation {operation.pk}"
        if key not in self._running:
            self._running[key] = self._pool.submit(self._run, operation.pk)

    def _run(self, operation_id: int) -> None:
        try:
            with self.parking.apart(operation_id):
                run(operation_id, report)
        except Exception as error:  # noqa: BLE001 - only a connection that is gone comes so far
            logger.warning("operation %s: the database is away: %s", operation_id, error)
        finally:
            connection.close()


def _lost() -> QuerySet[Operation]:
    now = Parameter("now", Operation._meta.get_field("lease_until"))
    return Operation.objects.filter(operations.lost(now)).order_by()


def _queued() -> QuerySet[Operation]:
    now = Parameter("now", Operation._meta.get_field("not_before"))
    return Operation.objects.filter(status=Status.QUEUED, not_before__lte=now).order_by("not_before")
