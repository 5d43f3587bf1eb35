"""Waits for devices: shows each state as it is entered, pushes the work where nobody else does, says how it ended."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, connection

from bmm.models import OPEN, Operation, Status
from devices.models import Device, Journal
from devices.models.device import Result
from lifeguard.attend import Attendant
from lifeguard.states import DEVICE
from mozpool_site import clock
from mozpool_site.live import Progress

# How often to look, in seconds; people take a third of a second for at once.
LOOK_EVERY = 0.3
_DATABASE_RESTARTS_IN = 60.0
# Twice the longest lease and the pulse's ten seconds: by then somebody has done it, or reported it lost.
_MANUAL_SECONDS = 90.0
# Lines of different devices are committed in any order; within so long all of them are there.
_JOURNAL_LAG = timedelta(seconds=10)


def watch(look: Callable[[], bool], progress: Progress, *, seconds: float) -> None:
    """Call `look` about three times a second until it gives True, for `seconds` at most.

    A database that goes away meanwhile is waited for: it may only be restarting. After a minute its error is raised.
    """
    limit = time.monotonic() + seconds
    away_since: float | None = None
    while True:
        try:
            done = look()
            away_since = None
        except (OperationalError, InterfaceError) as error:
            connection.close()
            done = False
            if away_since is None:
                away_since = time.monotonic()
                progress.line(f"the database does not answer, still trying: {error}")
            elif time.monotonic() - away_since > _DATABASE_RESTARTS_IN:
                raise
        progress.tick()
        if done or time.monotonic() >= limit:
            return
        time.sleep(LOOK_EVERY)


@dataclass(frozen=True)
class Ending:
    """What came of it for one device. `seconds` is how long that took."""

    device: str
    ok: bool
    state: str
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class Goal:
    """What a device was asked for: the task's number where it has one, and the state that means success."""

    device: str
    state: str = "ready"
    task_seq: int | None = None

    def ending(self, device: Device, seconds: float, arrived: float | None = None) -> Ending | None:
        """Judge the row; None while it is under way. `arrived`: the journal knows when it was in the goal's state.

        It may have left that again at once, for the next request in the queue.
        """
        ours = self.task_seq is not None and device.task_seq == self.task_seq
        message = ""
        if ours and device.result == Result.BAD_IMAGE:
            message = "failed: the image failed on other healthy devices too"
        elif ours and device.result == Result.BAD_DEVICE:
            message = f"failed: {device.quarantine_reason}"
        elif arrived is not None or device.state == self.state:
            return Ending(device.name, True, self.state, seconds if arrived is None else arrived)
        elif self.task_seq is not None and not ours:
            message = "somebody has given the device another task"
        elif device.state == "ready" or "steady" in DEVICE[device.state].tags:
            message = f"ended in state {device.state} instead of {self.state}"
        return Ending(device.name, False, device.state, seconds, message) if message else None


@dataclass
class States:
    """Reads from the journal which states devices have entered since a moment, each once."""

    since: datetime
    _seen: set[int] = field(default_factory=set)
    _newest: datetime | None = None

    def entered(self, device_ids: Collection[int]) -> Iterator[tuple[int, str, float]]:
        """Give (device, state, seconds since the beginning) of what is new, in order."""
        start = max(self.since, self._newest - _JOURNAL_LAG) if self._newest else self.since
        lines = Journal.objects.filter(device_id__in=list(device_ids), time__gte=start).exclude(to_state="")
        for pk, device_id, state, when in lines.order_by("time", "pk").values_list(
            "pk", "device_id", "to_state", "time"
        ):
            if pk not in self._seen and device_id is not None:
                self._seen.add(pk)
                self._newest = max(when, self._newest or when)
                yield device_id, state, (when - self.since).total_seconds()


@dataclass
class _Following:
    """Devices on their way: looks after them, shows what they enter, and judges them."""

    goals: Mapping[int, Goal]
    since: datetime
    attendant: Attendant
    progress: Progress
    endings: dict[int, Ending] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._states = States(self.since)
        self._arrived: dict[int, float] = {}

    def look(self) -> bool:
        """Look once; True when every device has come to its end."""
        under_way = [pk for pk in self.goals if pk not in self.endings]
        self.attendant.look(under_way)
        rows = Device.objects.in_bulk(under_way)
        passed = (clock.now() - self.since).total_seconds()
        for device_id, state, seconds in self._states.entered(self.goals):
            self.progress.entered(self.goals[device_id].device, state, seconds)
            if state == self.goals[device_id].state:
                self._arrived.setdefault(device_id, seconds)
        for pk, row in rows.items():
            if ending := self.goals[pk].ending(row, passed, self._arrived.get(pk)):
                self.endings[pk] = ending
        return len(self.endings) == len(self.goals)


def follow(
    goals: Mapping[int, Goal], progress: Progress, since: datetime, *, seconds: float, here: bool = False
) -> list[Ending]:
    """Wait until every device has come to its end, `seconds` at most; give the endings in the goals' order."""
    with Attendant(here=here) as attendant, progress:
        warn_of_others(attendant, list(goals), progress)
        following = _Following(goals, since, attendant, progress)
        watch(following.look, progress, seconds=seconds)
    endings = following.endings
    still = Device.objects.in_bulk([pk for pk in goals if pk not in endings])
    return [endings.get(pk) or _unfinished(goals[pk], still[pk], seconds) for pk in goals]


def follow_operations(
    waiting: Iterable[Operation], progress: Progress, *, here: bool = False
) -> list[Ending]:
    """Wait for operations that were asked for by hand; each is over within a minute of being begun."""
    began = time.monotonic()
    ids = [operation.pk for operation in waiting]
    under_way = Operation.objects.filter(pk__in=ids, status__in=OPEN)
    with Attendant(here=here, timers=False) as attendant, progress:
        warn_of_others(attendant, list(under_way.values_list("device_id", flat=True)), progress)

        def look() -> bool:
            attendant.look(list(under_way.values_list("device_id", flat=True)))
            return not under_way.exists()

        watch(look, progress, seconds=_MANUAL_SECONDS)
    rows = Operation.objects.select_related("device").in_bulk(ids)
    return [_ending_of(rows[pk], time.monotonic() - began) for pk in ids]


def warn_of_others(attendant: Attendant, device_ids: list[int], progress: Progress) -> None:
    """Say where this host can't stand in for a rack's worker."""
    for rack in attendant.not_ours(device_ids):
        progress.line(
            f"only the worker and the pulse of rack {rack.name} can do the work: this host is not its "
            f"imaging server {rack.imaging_server} ({rack.address}); --here tries from this host"
        )


def _ending_of(operation: Operation, waited: float) -> Ending:
    seconds = (operation.finished - operation.created).total_seconds() if operation.finished else waited
    ok = operation.status == Status.DONE
    kind = operation.get_kind_display()
    message = operation.message or f"{kind} {operation.get_status_display()}"
    if operation.status in OPEN:
        message = f"{kind} is still {operation.get_status_display()}; it will be done"
    return Ending(operation.of_device.name, ok, operation.of_device.state, seconds, message)


def _unfinished(goal: Goal, device: Device, seconds: float) -> Ending:
    message = f"not there after {seconds:g} s; it goes on by itself, `device_status {device.name}` shows it"
    return Ending(goal.device, False, device.state, seconds, message)
