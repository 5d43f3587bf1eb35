"""The life of an operation's row: queued, claimed with a lease, finished, lost or called off.

Every claim is one conditional UPDATE; its row count says who won. The machine's half (what a result
means) is not here: whoever started an operation delivers its result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import IntegrityError
from django.db.models import F, Q

from bmm.models import ENDED, OPEN, Kind, Operation, Status
from bmm.runner_identity import runner_name
from devices.models import Device, PowerController
from devices.queues import queue_of
from mozpool_site import clock, compiled, doorbell
from mozpool_site.compiled import CompiledUpdate, Parameter
from mozpool_site.slices import delete_some
from mozpool_site.transactions import retrying, unlocked, unlocked_soon

RUN_TASK = "lifeguard.tasks.run_operation"


@dataclass(frozen=True)
class Times:
    """Seconds: how long the hardware may take, and how long the claim lasts. The first is the shorter."""

    deadline: float
    lease: float

    def extended(self, seconds: float) -> "Times":
        """Return both, longer by as much."""
        return Times(self.deadline + seconds, self.lease + seconds)


# A killed worker is noticed when its lease ends: 35 s is the longest, for the bound is 40 with the pulse's own loop.
# Power operations of a controller that shows late what it did take longer, by its driver's `extra_seconds`.
TIMES = {
    Kind.POWER_CYCLE: Times(20, 30),
    Kind.POWER_OFF: Times(20, 30),
    Kind.PING: Times(3, 10),
    Kind.VERIFY_PORT: Times(3, 10),
    Kind.VERIFY_AGENT: Times(20, 30),  # the agent may take 15 s to tell its test root
    Kind.CHECK_STORAGE: Times(30, 35),
    Kind.CHECK_HEALTH: Times(25, 32),
    # Old clients wait ten seconds for a test.
    Kind.TEST_CONTROLLER: Times(8, 20),
    Kind.READ_OUTLETS: Times(15, 25),
}
# Between two looks at a device that comes up: a twentieth of the time that it has taken until now, from here up to the
# state's own `poll`. So what looking adds is small beside the wait, and slow devices are not asked more often.
_SHORTEST_PAUSE = timedelta(seconds=0.2)
_POLLS_OF_A_WAIT = 20
# A poll that is due for so long is heard by nobody; a runner that is alive tells what it found within so long.
_UNHEARD = timedelta(seconds=3)
_TELLING = timedelta(seconds=2)
POWER_KINDS = (Kind.POWER_CYCLE, Kind.POWER_OFF)


class Answer(StrEnum):
    """How an operation ended, as far as the hardware goes."""

    OK = "ok"
    FAILED = "failed"
    MISCONFIGURED = "misconfigured"
    NO_BOOT_CONFIG = "no_boot_config"
    UNREACHABLE = "unreachable"  # the infrastructure, not the device
    LOST = "lost"


@dataclass(frozen=True)
class Outcome:
    """An answer, a sentence about it for the journal, what to do about it, and what a question found out."""

    answer: Answer
    message: str = ""
    advice: str = ""
    found: Mapping[str, object] | None = None

    @property
    def told(self) -> str:
        """The message, with the advice if there is any."""
        return f"{self.message}. {self.advice}" if self.advice else self.message

    def event(self, kind: str) -> str:
        """Name the event that this outcome is for the device's machine."""
        return {
            Answer.OK: f"{kind}_ok",
            Answer.FAILED: f"{kind}_failed",
            Answer.MISCONFIGURED: "misconfigured",
            Answer.NO_BOOT_CONFIG: "no_boot_config",
            Answer.UNREACHABLE: "hardware_unreachable",
            Answer.LOST: "operation_lost",
        }[self.answer]


def queue(
    device: Device,
    kind: str,
    now: datetime,
    *,
    arguments: dict[str, object] | None = None,
    poll: float | None = None,
    state_seq: int | None = None,
    not_before: datetime | None = None,
    actor: str = "",
) -> Operation:
    """Store an operation and, unless it is to wait, ring the rack's worker when the transaction commits."""
    operation = Operation(
        device=device,
        rack_id=device.rack_id,
        controller_id=device.power_controller_id if kind in POWER_KINDS else None,
        kind=kind,
        arguments=arguments or {},
        poll=poll,
        state_seq=state_seq,
        boot_seq=device.boot_seq,
        actor=actor,
        held_by=device.held_by or 0,
        created=now,
        not_before=not_before or now,
    )
    compiled.insert(operation)
    if operation.not_before <= now:
        ring(operation)
    return operation


def queue_question(controller: PowerController, kind: Kind, now: datetime, *, actor: str = "") -> Operation:
    """Store a question to a power controller, and ring the rack's worker when the transaction commits."""
    operation = Operation.objects.create(
        rack_id=controller.rack_id,
        controller=controller,
        kind=kind.value,
        actor=actor,
        created=now,
        not_before=now,
    )
    ring(operation)
    return operation


def ring(operation: Operation) -> None:
    """Tell a worker of the rack that an operation waits."""
    doorbell.ring(queue_of(operation.rack_id), RUN_TASK, operation.pk)


def supersede(device: Device) -> None:
    """Call off what the device's machine has open, and what is to be switched for one who had the device before.

    A runner at work is told when it reports.
    """
    _supersede(device=device.pk, holder=device.held_by or 0)


def _of_machine_or_former_holder() -> Q:
    holder = Parameter("holder", Operation._meta.get_field("held_by"))
    return Q(state_seq__isnull=False) | Q(kind__in=POWER_KINDS) & ~Q(held_by=holder)


_supersede = CompiledUpdate(
    lambda: Operation.objects.filter(
        _of_machine_or_former_holder(),
        device_id=Parameter("device", Device._meta.pk),
        status__in=OPEN,
    ),
    status=Status.SUPERSEDED,
    finished=clock.DB_NOW,
)


def supersede_manual(device: Device) -> None:
    """Call off the power operation that somebody has asked for by hand and that nobody has begun."""
    _supersede_manual(device=device.pk)


_supersede_manual = CompiledUpdate(
    lambda: Operation.objects.filter(
        device_id=Parameter("device", Device._meta.pk),
        state_seq=None,
        kind__in=POWER_KINDS,
        status=Status.QUEUED,
    ),
    status=Status.SUPERSEDED,
    finished=clock.DB_NOW,
)


def for_former_holder(operation: Operation) -> bool:
    """Whether somebody has asked by hand to switch a device that changed hands since."""
    manual = operation.state_seq is None and operation.kind in POWER_KINDS
    return manual and operation.held_by != (operation.of_device.held_by or 0)


@retrying
def call_off(operation: Operation) -> bool:
    """Call off an operation that nobody has begun; False when somebody has."""
    waiting = Operation.objects.filter(pk=operation.pk, status=Status.QUEUED)
    return waiting.update(status=Status.SUPERSEDED, finished=clock.DB_NOW) == 1


def claim(operation: Operation, now: datetime) -> bool:
    """Try to become the runner of a queued operation; False when somebody else is, or the device is busy."""
    return bool(claim_all([operation], now))


def claim_all(wanted: Sequence[Operation], now: datetime, extra_seconds: float = 0.0) -> list[Operation]:
    """Try to become the runner of queued operations with one lease, longer than usual; return those that are ours."""
    runner = runner_name()
    lease = min(TIMES[Kind(operation.kind)].lease for operation in wanted) + extra_seconds
    lease_until = now + timedelta(seconds=lease)

    @retrying
    def transact() -> set[int]:
        rows = Operation.objects.filter(pk__in=[operation.pk for operation in wanted])
        if len(wanted) == 1 and not unlocked_soon(rows.values_list("pk")):
            return set()
        if len(wanted) > 1:
            # What somebody keeps locked is left for the next time.
            rows = rows.filter(pk__in=unlocked(rows.order_by("pk").values_list("pk", flat=True)))
        won = rows.filter(status=Status.QUEUED, not_before__lte=now).update(
            status=Status.RUNNING,
            runner=runner,
            running_on=F("device_id"),
            attempts=F("attempts") + 1,
            begun=now,
            lease_until=lease_until,
        )
        if won == len(wanted):
            return {operation.pk for operation in wanted}
        # A database that died after our commit and before its answer has us start over: the claim is ours already.
        return set(rows.filter(status=Status.RUNNING, runner=runner, begun=now).values_list("pk", flat=True))

    try:
        won = transact()
    except IntegrityError:
        # A device of them is busy: the others are claimed without it.
        alone = wanted if len(wanted) > 1 else ()
        return [operation for operation in alone if claim_all([operation], now, extra_seconds)]
    ours = [operation for operation in wanted if operation.pk in won]
    for operation in ours:
        operation.runner = runner
    return ours


def finish(operation: Operation, outcome: Outcome, now: datetime) -> bool:
    """Close an operation that is still ours; False when it was called off or lost meanwhile."""
    status = {Answer.OK: Status.DONE, Answer.LOST: Status.LOST}.get(outcome.answer, Status.FAILED)
    ended = {
        "status": status,
        "finished": now,
        "result": outcome.answer,
        "message": outcome.told[:300],
        "found": outcome.found,
        "running_on": None,
        "lease_until": None,
    }
    closed = compiled.update(Operation, ended, **_ours(operation))
    if not closed:
        let_go(operation)
    return closed == 1


@retrying
def try_again_later(operation: Operation, now: datetime) -> bool:
    """Put a polling operation back for its next try; False when it was called off meanwhile."""
    pause = _pause(operation, now)
    waits = {
        "status": Status.QUEUED,
        "not_before": now + pause,
        "runner": "",
        "running_on": None,
        "lease_until": None,
    }
    requeued = compiled.update(Operation, waits, **_ours(operation))
    if not requeued:
        let_go(operation)
    return requeued == 1


def _pause(operation: Operation, now: datetime) -> timedelta:
    """Return how long a polling operation waits: less at first, so that little is added to a short wait."""
    longest = timedelta(seconds=operation.poll or 0)
    if operation.kind in POWER_KINDS:
        return longest
    return min(longest, max(_SHORTEST_PAUSE, (now - operation.created) / _POLLS_OF_A_WAIT))


@retrying
def let_go(operation: Operation) -> None:
    """Free the device of an operation that was called off while it ran, for the one that waits behind it."""
    Operation.objects.filter(pk=operation.pk, runner=operation.runner).exclude(status=Status.RUNNING).update(
        running_on=None, lease_until=None
    )
    if operation.device_id is not None:
        for queued in Operation.objects.filter(device_id=operation.device_id, status=Status.QUEUED):
            ring(queued)


def prune_some(before: datetime) -> int:
    """Forget some of what ended before a moment; return how many."""
    # In no order, which no index has: any will do.
    old = Operation.objects.filter(status__in=ENDED, kind__in=Kind.values, finished__lt=before)
    return delete_some(old.filter(running_on=None).order_by())


def abandoned(operation: Operation, now: datetime) -> bool:
    """Whether nobody works on an open operation although it is time: the workers' fault, not the device's."""
    if operation.status == Status.QUEUED:
        return operation.attempts == 0 or now - operation.not_before >= _UNHEARD
    times = TIMES[Kind(operation.kind)]
    # The lease says how much longer than usual it may take.
    spare = timedelta(seconds=times.lease - times.deadline) - _TELLING
    return operation.lease_until is not None and now >= operation.lease_until - spare


def lost(now: datetime | Parameter) -> Q:
    """Select operations whose runner is gone: a lease ran out, whatever their status says."""
    return Q(status__in=(Status.RUNNING, Status.SUPERSEDED), lease_until__lt=now)


def _ours(operation: Operation) -> dict[str, object]:
    """Return the values by which an operation's row is known while we are its runner."""
    return {"id": operation.pk, "status": Status.RUNNING, "runner": operation.runner}
