"""Finds what is due in some racks and rings for it; does it itself only where no worker comes.

Needs no broker. Any number of pulses may run over the same racks: each thing done is a conditional UPDATE.
"""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import close_old_connections, connection
from django.db.models import Q

from bmm import bootfiles, operations
from bmm.models import Operation, Status
from bmm.operations import Answer, Outcome
from bmm.run import run
from devices.models import Device, Rack
from devices.queues import queue_of
from lifeguard.machine import device_runner
from lifeguard.reports import report, store
from mozpool_site import doorbell
from mozpool_site.contained import POISON_PAUSE, contained
from mozpool_site.errors import UnknownNameError
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT

logger = logging.getLogger(__name__)

TIMER_TASK = "lifeguard.tasks.fire_timer"

# Seconds after which nobody can have heard the first ring.
FIRE_TIMER_AFTER = timedelta(seconds=3)
RING_AGAIN_AFTER = timedelta(seconds=3)
RUN_AFTER = timedelta(seconds=10)
# A rack that nobody came for once is not waited for anew with each thing: it is served here for so long.
SERVE_HERE_FOR = timedelta(seconds=30)
# How often everything is looked at; in between only for operations that come due, a breath apart.
LOOK_EVERY = timedelta(seconds=1)
_BREATH = timedelta(seconds=0.1)
_HEARTBEAT = timedelta(seconds=5)
_SLICE = 500
_CHORE_FAILED = "a chore of the pulse failed"


@dataclass
class RackPulse:
    """Looks after the devices and operations of some racks; remembers only whom it has rung for."""

    racks: dict[int, str]
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "pulse-operation"))
    ring_bells: bool = True
    # Over all racks nothing is asked for by rack: for a list of a thousand the database reads whole tables.
    everywhere: bool = False
    # A look in passing is no promise to look again: it must not make the rack seem down later.
    stays: bool = True
    _timers_rung: dict[int, int] = field(default_factory=dict)
    _operations_rung: dict[tuple[int, int], datetime] = field(default_factory=dict)
    _running: dict[int, Future[None]] = field(default_factory=dict)
    _serve_until: dict[int, datetime] = field(default_factory=dict)
    _heartbeat: datetime | None = None
    _looked: datetime | None = None

    @classmethod
    def over(cls, names: list[str]) -> "RackPulse":
        """Make a pulse over the named racks, over all when none is named. Raises UnknownNameError."""
        racks = Rack.objects.filter(name__in=names) if names else Rack.objects.all()
        found = {rack.name: rack for rack in racks}
        for name in names:
            if name not in found:
                raise UnknownNameError(f"there is no rack {name!r}", field="rack")
        return cls({rack.pk: rack.queue_name for rack in found.values()}, everywhere=not names)

    def beat(self, now: datetime) -> datetime:
        """Do what is due now; give the moment when something will be due next, a second from now at most."""
        if self._looked is None or now - self._looked >= LOOK_EVERY:
            self._looked = now
            for chore in (self._heart, self._timers, self._lost, self._boot_files):
                with contained(_CHORE_FAILED):
                    chore(now)
        following = self._looked + LOOK_EVERY
        soonest = None
        with contained(_CHORE_FAILED):
            soonest = self._queued(now)
        return min(following, max(soonest, now + _BREATH)) if soonest else following

    @property
    def _here(self) -> Q:
        return Q() if self.everywhere else Q(rack_id__in=self.racks)

    def _heart(self, now: datetime) -> None:
        if self.stays and (self._heartbeat is None or now - self._heartbeat >= _HEARTBEAT):
            racks = Rack.objects.all() if self.everywhere else Rack.objects.filter(pk__in=self.racks)
            racks.update(pulse_seen=now)
            self._heartbeat = now

    def _timers(self, now: datetime) -> None:
        due = Device.objects.filter(self._here, deadline__lte=now).order_by("deadline")
        rung: dict[int, int] = {}
        for pk, seq, deadline, rack_id in due.values_list("pk", "state_seq", "deadline", "rack_id")[:_SLICE]:
            if deadline is None:
                continue
            if self._serves(rack_id, now, unheard=now - deadline >= FIRE_TIMER_AFTER):
                _fire(pk, seq, now)
            else:
                if self._timers_rung.get(pk) != seq:
                    doorbell.ring(self.racks.get(rack_id) or queue_of(rack_id), TIMER_TASK, pk, seq)
                rung[pk] = seq
        self._timers_rung = rung

    def _lost(self, now: datetime) -> None:
        for operation in Operation.objects.filter(self._here, operations.lost(now))[:_SLICE]:
            if operation.status == Status.RUNNING:
                _give_up(operation, now)
            else:
                operations.let_go(operation)

    def _queued(self, now: datetime) -> datetime | None:
        """Ring for operations that are due; give the moment when the next one will be, within the second."""
        soon = Operation.objects.filter(self._here, status=Status.QUEUED, not_before__lte=now + LOOK_EVERY)
        rung: dict[tuple[int, int], datetime] = {}
        for operation in soon.order_by("not_before")[:_SLICE]:
            if operation.not_before > now:
                self._operations_rung = rung
                return operation.not_before
            attempt = (operation.pk, operation.attempts)
            last = self._operations_rung.get(attempt)
            if self._serves(operation.rack_id, now, unheard=now - operation.not_before >= RUN_AFTER):
                self._run(operation.pk)
            elif self._wants_bell(operation, last, now):
                operations.ring(operation)
                last = now
            if last:
                rung[attempt] = last
        self._operations_rung = rung
        return None

    def _serves(self, rack_id: int, now: datetime, *, unheard: bool) -> bool:
        """Whether to do a rack's work here. What was `unheard` tells that no worker comes, and is remembered."""
        if not self.ring_bells or now < self._serve_until.get(rack_id, now):
            return True
        if unheard:
            self._serve_until[rack_id] = now + SERVE_HERE_FOR
        return unheard

    def _wants_bell(self, operation: Operation, last: datetime | None, now: datetime) -> bool:
        if last is not None:
            return now - last >= RING_AGAIN_AFTER
        # Whoever queued it has rung, unless it was to wait.
        waited = operation.not_before > operation.created
        return waited or now - operation.not_before >= RING_AGAIN_AFTER

    def _run(self, operation_id: int) -> None:
        for done in [pk for pk, future in self._running.items() if future.done()]:
            del self._running[done]
        if operation_id not in self._running:
            self._running[operation_id] = self.pool.submit(_run_alone, operation_id)

    def _boot_files(self, now: datetime) -> None:
        bootfiles.reconcile(None if self.everywhere else self.racks)


def _fire(device_id: int, seq: int, now: datetime) -> None:
    """Let a deadline pass."""
    device = Device.objects.filter(pk=device_id, state_seq=seq)
    with contained(
        "the deadline of device %s can't pass; next try in a minute",
        device_id,
        push_back=lambda: device.update(deadline=now + POISON_PAUSE),
    ):
        device_runner.deliver(device_id, Event(TIMEOUT), fence={"state_seq": seq})


def _give_up(operation: Operation, now: datetime) -> None:
    """Report an operation as lost."""
    message = f"runner {operation.runner} is gone"
    logger.warning("operation %s is lost: %s", operation.pk, message)
    running = Operation.objects.filter(pk=operation.pk, status=Status.RUNNING, runner=operation.runner)
    with contained(
        "the loss of operation %s can't be reported; next try in a minute",
        operation.pk,
        push_back=lambda: running.update(lease_until=now + POISON_PAUSE),
    ):
        store(operation, Outcome(Answer.LOST, message))


def _run_alone(operation_id: int) -> None:
    try:
        run(operation_id, report)
    except Exception:
        logger.exception("operation %s failed in the pulse", operation_id)
    finally:
        close_old_connections()
        connection.close()
