"""Decides, purely, whether a device has got where a batch sent it."""

from dataclasses import dataclass

from devices.models.device import Result
from lifeguard.bulk.models import Progress
from lifeguard.states import DEVICE

# Where a device rests: it goes nowhere from there by itself, but from `ready`.
RESTING = frozenset({"ready", *DEVICE.tagged("steady")})


@dataclass(frozen=True)
class Seen:
    """A device on its way, as its row is now; `arrived`: the journal says that it has been in the goal since."""

    state: str
    task_seq: int
    result: str = ""
    quarantine_reason: str = ""
    arrived: bool = False


@dataclass(frozen=True)
class Judgement:
    """How it ended for a device, in a sentence for people."""

    progress: Progress
    message: str


def overtaken(task_seq: int | None, seen: Seen) -> bool:
    """Whether the device has been given another task meanwhile; whether it got there first, its journal knows."""
    return seen.task_seq != task_seq


def judge(goal: str, task_seq: int | None, seen: Seen, *, new_task: bool) -> Judgement | None:
    """Say how it ended; None while it is under way.

    `task_seq` is the device's when it was asked. A result counts only for a verb that is a task of its own: else it
    is that of the task before.
    """
    other_task = overtaken(task_seq, seen)
    result = seen.result if new_task and not other_task else Result.PENDING
    if result == Result.BAD_IMAGE:
        return Judgement(Progress.FAILED, "the image failed on other healthy devices too")
    if result == Result.BAD_DEVICE:
        return Judgement(Progress.FAILED, seen.quarantine_reason or "the device failed")
    if seen.arrived or seen.state == goal or (result == Result.COMPLETE and goal == "ready"):
        return Judgement(Progress.DONE, f"reached {goal}")
    if other_task:
        return Judgement(Progress.FAILED, "somebody has given the device another task")
    if seen.state in RESTING or result == Result.COMPLETE:
        why = f": {seen.quarantine_reason}" if seen.quarantine_reason else ""
        return Judgement(Progress.FAILED, f"ended in state {seen.state} instead of {goal}{why}")
    return None
