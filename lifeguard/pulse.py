"""The loops of some racks: what is due is rung for, and done here only where no worker comes.

Needs no broker. Any number of pulses may run over the same racks: each thing done is a conditional UPDATE.
"""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from bmm import bootfiles, operations
from bmm.models import Operation, Status
from bmm.operations import Answer, Outcome
from bmm.run import run
from devices.models import Device, Rack
from devices.queues import queue_of
from lifeguard.machine import device_runner
from lifeguard.probes import Inventories, SuspectControllers
from lifeguard.reports import report, store
from mozpool_site import doorbell
from mozpool_site.errors import UnknownNameError
from mozpool_site.pulse.loop import Loop
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from mozpool_site.transactions import is_contention

logger = logging.getLogger(__name__)

TIMER_TASK = "lifeguard.tasks.fire_timer"

RING_AGAIN_AFTER = timedelta(seconds=3)
# A rack that nobody came for once is not waited for anew with each thing: it is served here for so long.
SERVE_HERE_FOR = timedelta(seconds=30)
# A rack whose oldest due timer waits for longer is not served, whatever the threads of its pulse do.
BEHIND_AFTER = timedelta(seconds=15)
_LOOKED_WITHIN_SECONDS = 10.0
# Between two looks at operations that fall due one after the other.
_BREATH = timedelta(seconds=0.1)
_SOON = timedelta(seconds=1)
_SLICE = 500


@dataclass(frozen=True)
class Scope:
    """Which devices somebody looks after: all, those of some racks, or some."""

    # Over all racks nothing is asked for by rack: for a list of a thousand the database reads whole tables.
    racks: frozenset[int] | None = None
    devices: frozenset[int] | None = None

    @classmethod
    def of_racks(cls, names: list[str]) -> "Scope":
        """Return the scope of the named racks, of all when none is named. Raise UnknownNameError."""
        found = dict(Rack.objects.filter(name__in=names).values_list("name", "pk")) if names else {}
        for name in names:
            if name not in found:
                raise UnknownNameError(f"there is no rack {name!r}", field="rack")
        return cls(frozenset(found.values()) if names else None)

    @property
    def of_devices(self) -> Q:
        """Select its devices."""
        return self._own(Q(pk__in=self.devices or ()))

    @property
    def of_operations(self) -> Q:
        """Select the operations of its devices."""
        return self._own(Q(device_id__in=self.devices or ()))

    def _own(self, devices: Q) -> Q:
        if self.devices is not None:
            return devices
        return Q() if self.racks is None else Q(rack_id__in=self.racks)


@dataclass
class Patience:
    """How long work is left to the workers of its rack, before it is done here.

    With `bells` they are rung for it; `alone`, nothing is left to them.
    """

    bells: bool = True
    alone: bool = False
    # Seconds after which nobody can have heard the first ring.
    timers: timedelta = timedelta(seconds=3)
    operations: timedelta = timedelta(seconds=10)
    _serve_until: dict[int, datetime] = field(default_factory=dict)

    def serves(self, rack_id: int, now: datetime, *, unheard: bool) -> bool:
        """Whether to do a rack's work here. What was `unheard` tells that no worker comes, and is remembered."""
        if self.alone or now < self._serve_until.get(rack_id, now):
            return True
        if unheard:
            self._serve_until[rack_id] = now + SERVE_HERE_FOR
        return unheard


class Timers(Loop):
    """Rings for deadlines that have passed, and lets pass what nobody came for."""

    name = "timers"

    def __init__(self, scope: Scope, patience: Patience) -> None:
        super().__init__()
        self.scope = scope
        self._patience = patience
        self._rung: dict[int, int] = {}
        self._controllers_locked: dict[int, float] = {}
        self._looked = float("-inf")
        # Racks of which timers are left for too long; None where nobody knows.
        self._behind: frozenset[int] | None = frozenset()

    def serves_all_but(self) -> frozenset[int] | None:
        """Return the racks whose timers are not met; None when that goes for all."""
        return self._behind if time.monotonic() - self._looked < _LOOKED_WITHIN_SECONDS else None

    def look(self, now: datetime) -> datetime | None:
        """Look once; at once again where there was more than a look may do."""
        rows = list(
            self._due(now).values_list("pk", "state_seq", "deadline", "rack_id", "power_controller_id")[
                :_SLICE
            ]
        )
        rung: dict[int, int] = {}
        done = 0
        for pk, seq, deadline, rack_id, controller_id in self.within_budget(rows):
            done += 1
            if deadline is None or controller_id in self._controllers_locked:
                continue
            if self._patience.serves(rack_id, now, unheard=now - deadline >= self._patience.timers):
                self._fire(pk, seq, controller_id)
            elif self._patience.bells:
                if self._rung.get(pk) != seq:
                    doorbell.ring(queue_of(rack_id), TIMER_TASK, pk, seq)
                rung[pk] = seq
        self._rung = rung
        left = rows[done:]
        late = {rack_id for _, _, deadline, rack_id, _ in left if deadline and now - deadline >= BEHIND_AFTER}
        full = len(rows) == _SLICE and rows[-1][2] is not None and now - rows[-1][2] >= BEHIND_AFTER
        self._behind, self._looked = (None if full else frozenset(late)), time.monotonic()
        return now if left or len(rows) == _SLICE else None

    def _due(self, now: datetime) -> QuerySet[Device]:
        due = Device.objects.filter(self.scope.of_devices, deadline__lte=now).order_by("deadline")
        moment = time.monotonic()
        self._controllers_locked = {
            pk: until for pk, until in self._controllers_locked.items() if until > moment
        }
        if self._controllers_locked:
            due = due.exclude(power_controller_id__in=self._controllers_locked)
        parked = self.parking.numbers(now)
        return due.exclude(pk__in=parked) if parked else due

    def _fire(self, pk: int, seq: int, controller_id: int | None) -> None:
        with self.parking.apart(pk):
            try:
                device_runner.deliver_unless_locked(pk, Event(TIMEOUT), fence={"state_seq": seq})
            except Device.DoesNotExist:
                pass  # somebody has removed it
            except OperationalError as error:
                if controller_id is not None and is_contention(error):
                    # The lock of a controller that keeps an operation from being stored keeps all its devices' from
                    # it: each of them would be waited for in turn.
                    self._controllers_locked[controller_id] = time.monotonic() + 2
                raise


class Heartbeat(Loop):
    """Tells everybody that the timers of its racks are met; a thread that merely lives tells nothing."""

    name = "heartbeat"
    every = timedelta(seconds=5)

    def __init__(self, scope: Scope, timers: Timers) -> None:
        super().__init__()
        self._scope = scope
        self._timers = timers

    def look(self, now: datetime) -> datetime | None:
        """Look once; sooner again where there was nothing good to tell: it may be the first look of all."""
        behind = self._timers.serves_all_but()
        if behind is None:
            logger.warning("the timers of these racks are not met in time")
            return now + _SOON
        racks = (
            Rack.objects.all() if self._scope.racks is None else Rack.objects.filter(pk__in=self._scope.racks)
        )
        if behind:
            racks = racks.exclude(pk__in=behind)
        try:
            racks.update(pulse_seen=now)
        except OperationalError as error:
            if not is_contention(error):
                raise
            # Somebody has locked one of them: the others are well.
            with transaction.atomic():
                skipping = connection.features.has_select_for_update_skip_locked
                free = list(racks.select_for_update(skip_locked=skipping).values_list("pk", flat=True))
                Rack.objects.filter(pk__in=free).update(pulse_seen=now)
        return None


class Lost(Loop):
    """Reports operations whose runner is gone."""

    name = "lost work"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope

    def look(self, now: datetime) -> None:
        """Look once."""
        lost = Operation.objects.filter(self.scope.of_operations, operations.lost(now))
        if parked := self.parking.numbers(now):
            lost = lost.exclude(pk__in=parked)
        for operation in self.within_budget(lost[:_SLICE]):
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
        self._rung: dict[tuple[int, int], datetime] = {}

    def look(self, now: datetime) -> datetime | None:
        """Look once; return when the next one will be due, where that is within the second."""
        soon = Operation.objects.filter(
            self.scope.of_operations, status=Status.QUEUED, not_before__lte=now + self.every
        )
        if parked := self.parking.numbers(now):
            soon = soon.exclude(pk__in=parked)
        following = None
        rung: dict[tuple[int, int], datetime] = {}
        for operation in soon.order_by("not_before")[:_SLICE]:
            if operation.not_before > now:
                following = max(operation.not_before, now + _BREATH)
                break
            attempt = (operation.pk, operation.attempts)
            last = self._rung.get(attempt)
            unheard = now - operation.not_before >= self._patience.operations
            if self._patience.serves(operation.rack_id, now, unheard=unheard):
                self._begin(operation)
            elif self._wants_bell(operation, last, now):
                operations.ring(operation)
                last = now
            if last:
                rung[attempt] = last
        self._rung = rung
        return following

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


class BootFiles(Loop):
    """Makes the boot files of whole racks match the database."""

    name = "boot files"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    def look(self, now: datetime) -> None:
        """Look once."""
        bootfiles.reconcile(self._scope.racks)


def loops(scope: Scope, patience: Patience, *, stays: bool = True) -> list[list[Loop]]:
    """Return what looks after whole racks, in groups that do not wait for one another.

    What does not stay gives no heartbeat: a look in passing is no promise to look again.
    """
    timers = Timers(scope, patience)
    heart: list[list[Loop]] = [[Heartbeat(scope, timers)]] if stays else []
    return [
        [timers, Lost(scope)],
        *heart,
        [Operations(scope, patience)],
        [BootFiles(scope), SuspectControllers(scope.racks)],
        [Inventories()],
    ]
