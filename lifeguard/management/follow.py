"""Waits for devices: shows each state as it is entered, pushes the work where nobody else does, says how it ended."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bmm.models import OPEN, Operation, Status
from devices.models import Device, Journal
from devices.models.device import Result
from lifeguard.attend import Attendant
from lifeguard.states import DEVICE
from mozpool_site import clock
from mozpool_site.live import Progress

# How often to look, in seconds; people take a third of a second for at once.
LOOK_EVERY = 0.3
# Lines of different devices are committed in any order; within so long all of them are there.
_JOURNAL_LAG = timedelta(seconds=10)


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

    def ending(self, device: Device, seconds: float) -> Ending | None:
        """Judge the row; None while it is under way."""

        def end(ok: bool, message: str = "") -> Ending:
            return Ending(device.name, ok, device.state, seconds, message)

        if self.task_seq is not None and device.task_seq != self.task_seq:
            return end(False, "somebody has given the device another task")
        if self.task_seq is not None and device.result == Result.BAD_IMAGE:
            return end(False, "failed: the image failed on other healthy devices too")
        if self.task_seq is not None and device.result == Result.BAD_DEVICE:
            return end(False, f"failed: {device.quarantine_reason}")
        if device.state == self.state:
            return end(True)
        if device.state == "ready" or "steady" in DEVICE[device.state].tags:
            return end(False, f"ended in state {device.state} instead of {self.state}")
        return None


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


def follow(
    goals: Mapping[int, Goal], progress: Progress, since: datetime, *, seconds: float, here: bool = False
) -> list[Ending]:
    """Wait until every device has come to its end, `seconds` at most; give the endings in the goals' order."""
    endings: dict[int, Ending] = {}
    states = States(since)
    limit = time.monotonic() + seconds
    with Attendant(here=here) as attendant, progress:
        warn_of_others(attendant, list(goals), progress)
        while True:
            open_ids = [pk for pk in goals if pk not in endings]
            attendant.look(open_ids)
            rows = Device.objects.in_bulk(open_ids)
            passed = (clock.now() - since).total_seconds()
            for device_id, state, entered in states.entered(goals):
                progress.entered(goals[device_id].device, state, entered)
            for pk, row in rows.items():
                ending = goals[pk].ending(row, passed)
                if ending:
                    endings[pk] = ending
            progress.tick()
            if len(endings) == len(goals) or time.monotonic() >= limit:
                break
            time.sleep(LOOK_EVERY)
    still = Device.objects.in_bulk([pk for pk in goals if pk not in endings])
    return [endings.get(pk) or _unfinished(goals[pk], still[pk], seconds) for pk in goals]


def follow_operations(
    waiting: Iterable[Operation], progress: Progress, *, here: bool = False
) -> list[Ending]:
    """Wait for operations that were asked for by hand; each is over within a minute of being begun."""
    began = time.monotonic()
    ids = [operation.pk for operation in waiting]
    # Twice the longest lease and the pulse's ten seconds: by then somebody has done it or reported it lost.
    limit = began + 90
    rows: dict[int, Operation] = {}
    with Attendant(here=here, timers=False) as attendant, progress:
        devices = list(Operation.objects.filter(pk__in=ids).values_list("device_id", flat=True))
        warn_of_others(attendant, devices, progress)
        while True:
            open_ones = Operation.objects.filter(pk__in=ids, status__in=OPEN)
            attendant.look(list(open_ones.values_list("device_id", flat=True)))
            rows = Operation.objects.select_related("device").in_bulk(ids)
            progress.tick()
            if not any(row.status in OPEN for row in rows.values()) or time.monotonic() >= limit:
                break
            time.sleep(LOOK_EVERY)
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
    return Ending(operation.device.name, ok, operation.device.state, seconds, message)


def _unfinished(goal: Goal, device: Device, seconds: float) -> Ending:
    message = f"not there after {seconds:g} s; it goes on by itself, `device_status {device.name}` shows it"
    return Ending(goal.device, False, device.state, seconds, message)
