"""Waits for what a question to hardware found out, for a caller who waits for the answer.

Nothing is locked in the database meanwhile. In an event loop all who wait share one look; elsewhere each has a thread.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from functools import partial

from bmm import controller_lease, operations
from bmm.deadline import Deadline
from bmm.models import OPEN, Operation, Status
from bmm.operations import Answer
from bmm.services import Asked
from mozpool_site.errors import ConflictError, MozpoolError, UnknownNameError
from mozpool_site.stopping import stopping
from mozpool_site.transactions import UNAVAILABLE
from mozpool_site.waiting import OnePerLoop, in_thread

logger = logging.getLogger(__name__)

# Old clients give up after 20 s.
SECONDS = 10.0
_FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS = 0.02, 0.25
_LOOK_SECONDS = 0.1


class NoAnswerError(MozpoolError):
    """Whoever should have asked the hardware did not: see to the rack's worker, and try again."""

    code = "unavailable"
    http_status = 503
    exit_status = 1


class Looker:
    """Tells all who wait in an event loop that their operation has ended, by one query each tenth of a second."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._task: asyncio.Task[None] | None = None

    async def ended(self, operation_id: int, seconds: float) -> None:
        """Wait for an operation's end, for so long at most; not at all once this process is to end."""
        loop = asyncio.get_running_loop()
        end: asyncio.Future[None] = loop.create_future()
        self._waiting[end] = operation_id
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        try:
            await asyncio.wait((end,), timeout=seconds)
        finally:
            del self._waiting[end]

    async def _run(self) -> None:
        while self._waiting and not stopping():
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                ended = await in_thread(partial(_ended, set(self._waiting.values())))
            except UNAVAILABLE as error:
                logger.warning("the database is away; who waits for hardware goes on waiting: %s", error)
                continue
            for end, operation_id in self._waiting.items():
                if (operation_id in ended or stopping()) and not end.done():
                    end.set_result(None)
        for end in self._waiting:
            if not end.done():
                end.set_result(None)


looker = OnePerLoop(Looker)


def wait(operation_id: int) -> None:
    """Wait for an operation's end in this thread, ten seconds at most."""
    deadline, pause = Deadline.after(SECONDS), _FIRST_LOOK_SECONDS
    while not _ended({operation_id}) and not deadline.expired:
        time.sleep(min(pause, deadline.remaining()))
        pause = min(1.5 * pause, _LAST_LOOK_SECONDS)


def device_answered(asked: Asked) -> bool:
    """Whether a device has answered its ping.

    Raise NoAnswerError when nobody at the rack pinged it in time, or was able to.
    """
    operation = _as_it_is(asked)
    if operation.status == Status.DONE:
        return True
    if operation.result == Answer.FAILED:
        return False
    if operation.status in OPEN:
        raise NoAnswerError(f"nobody pinged in {SECONDS:g} s; does a worker of rack {operation.rack} run?")
    raise NoAnswerError(operation.message or f"the ping was not made: it is {operation.status}")


def controller_answered(asked: Asked) -> bool:
    """Whether a power controller has passed its own two-way test.

    Raise ConflictError where a worker kept it busy all the time, and where its row can't be right; NoAnswerError when
    nobody at the rack tested it in time.
    """
    operation = _as_it_is(asked)
    if operation.status == Status.DONE:
        return True
    if operation.result in (Answer.FAILED, Answer.UNREACHABLE):
        return False
    controller = operation.controller
    if controller is not None and operation.result == Answer.MISCONFIGURED:
        raise ConflictError(f"power controller {controller.name}: {operation.message}", field="relay")
    if controller is not None and operation.status == Status.QUEUED:
        busy = controller_lease.holder(controller)
        if busy:
            raise ConflictError(busy, field="lease")
    if operation.status in OPEN:
        raise NoAnswerError(f"nobody tested it in {SECONDS:g} s; does a worker of rack {operation.rack} run?")
    raise NoAnswerError(operation.message or f"the test was not made: it is {operation.status}")


def _as_it_is(asked: Asked) -> Operation:
    """Return a question's operation as it is now; one that nobody has begun is called off by whoever stored it.

    Raise UnknownNameError where it went with its device or controller.
    """
    operation = Operation.objects.select_related("rack", "controller").filter(pk=asked.operation.pk).first()
    if operation is None:
        raise UnknownNameError("what was asked has been deleted meanwhile")
    if asked.is_new and operation.status == Status.QUEUED:
        operations.call_off(operation)
    return operation


def _ended(operation_ids: Iterable[int]) -> set[int]:
    """Return which of these operations are over, or gone."""
    under_way = Operation.objects.filter(pk__in=operation_ids, status__in=OPEN)
    return set(operation_ids) - set(under_way.values_list("pk", flat=True))
