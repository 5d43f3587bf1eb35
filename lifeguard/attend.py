"""Pushes certain devices through their work from the process that waits for them, where no worker or pulse comes.

What is due is first left to those whose job it is. It is done by the same functions and claims as theirs, so
that whoever comes second finds nothing to do.
"""

import logging
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from django.db import connection
from django.db.models import QuerySet

from bmm import bootfiles, operations
from bmm.errors import Misconfigured
from bmm.models import Operation, Status
from bmm.operations import Answer, Outcome
from bmm.run import run
from devices.models import Device, Rack
from lifeguard.machine import device_runner
from lifeguard.reports import report
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT

logger = logging.getLogger(__name__)

# A worker takes a rung operation within milliseconds; one that has waited so long waits for nobody.
PATIENCE = timedelta(seconds=2)
# Boards that are silent keep a thread for seconds each.
_THREADS = 16


@dataclass
class Attendant:
    """Looks after devices while somebody waits for them; to be used in a `with`, and asked to `look` often.

    With `here` nothing is left to others first, and the host need not be the rack's imaging server. A look of an
    attendant of whom `timers` is False lets no deadline pass: it only runs operations.
    """

    here: bool = False
    timers: bool = True
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "attend"))
    _running: dict[str, Future[bool]] = field(default_factory=dict)
    _racks: dict[int, bool] = field(default_factory=dict)
    _synced: dict[int, int] = field(default_factory=dict)
    _nobody_came: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is running switches power: it is let finish, within its own deadline of seconds.
        self._pool.shutdown(wait=True, cancel_futures=True)

    def look(self, device_ids: list[int]) -> None:
        """Do what is overdue of these devices: deadlines and lost operations at once, operations in threads."""
        now = clock.now()
        overdue = now if self.here or self._nobody_came else now - PATIENCE
        self._collect()
        if self.timers:
            _fire_timers(device_ids, overdue)
        ours = self._ours(device_ids)
        _report_lost(ours, now)
        self._sync_boot_files(ours)
        waiting = Operation.objects.filter(
            device_id__in=ours, status=Status.QUEUED, not_before__lte=overdue
        ).order_by("not_before")
        for operation in waiting:
            self._begin(operation)

    def not_ours(self, device_ids: list[int]) -> list[Rack]:
        """Give the racks of devices whose hardware this host leaves to the rack's own imaging server."""
        away = set(device_ids) - set(self._ours(device_ids))
        return list(Rack.objects.filter(devices__in=away).distinct())

    def _ours(self, device_ids: list[int]) -> list[int]:
        """Choose the devices that this host may touch: a boot file on another host would be of no use."""
        if self.here:
            return device_ids
        places = Device.objects.filter(pk__in=device_ids).values_list("pk", "rack_id", "rack__address")
        for _, rack_id, address in places:
            if rack_id not in self._racks:
                self._racks[rack_id] = _is_this_host(address)
        return [pk for pk, rack_id, _ in places if self._racks[rack_id]]

    def _sync_boot_files(self, device_ids: list[int]) -> None:
        """Let boot files follow each move: a board that finds last boot's file would install a second time."""
        for pk, seq in Device.objects.filter(pk__in=device_ids).values_list("pk", "state_seq"):
            if self._synced.get(pk) != seq:
                try:
                    bootfiles.sync(pk)
                except (Misconfigured, OSError) as error:
                    # The power operation that needs the file meets the same, and tells the device's machine.
                    logger.error("boot file of device %s: %s", pk, error)  # noqa: TRY400 - the message says it all
                self._synced[pk] = seq

    def _begin(self, operation: Operation) -> None:
        # One connection per controller: the first operation brings the others along.
        of_power = operation.controller_id is not None
        key = f"controller {operation.controller_id}" if of_power else f"operation {operation.pk}"
        if key not in self._running:
            self._running[key] = self._pool.submit(_run_alone, operation.pk)

    def _collect(self) -> None:
        for key in [key for key, future in self._running.items() if future.done()]:
            if self._running.pop(key).result():
                self._nobody_came = True


def _fire_timers(device_ids: list[int], overdue: datetime) -> None:
    due = Device.objects.filter(pk__in=device_ids, deadline__lte=overdue)
    for pk, seq in due.values_list("pk", "state_seq"):
        device_runner.deliver(pk, Event(TIMEOUT), fence={"state_seq": seq})


def _report_lost(device_ids: list[int], now: datetime) -> None:
    lost: QuerySet[Operation] = Operation.objects.filter(operations.lost(now), device_id__in=device_ids)
    for operation in lost:
        if operation.status == Status.RUNNING:
            report(operation, Outcome(Answer.LOST, f"runner {operation.runner} is gone"))
        else:
            operations.let_go(operation)


def _run_alone(operation_id: int) -> bool:
    try:
        return run(operation_id, report)
    finally:
        connection.close()


def _is_this_host(address: str) -> bool:
    """Whether an IP address is one of this host's own: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
