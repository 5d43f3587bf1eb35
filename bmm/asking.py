"""Asks hardware something for a caller who waits for the answer. Nothing is locked in the database meanwhile."""

import time

from bmm import operations, services
from bmm.deadline import Deadline
from bmm.errors import HardwareError, Misconfigured
from bmm.models import OPEN, Operation, Status
from bmm.operations import Answer
from devices.models import PowerController
from mozpool_site.errors import ConflictError, MozpoolError
from mozpool_site.statemachine.runner import Actor

# Old clients give up after 20 s.
_SECONDS = 10.0
_FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS = 0.02, 0.25


class NoAnswerError(MozpoolError):
    """Whoever should have asked the hardware did not: see to the rack's worker, and try again."""

    code = "unavailable"
    http_status = 503
    exit_status = 1


def device_answers_ping(device_id: int, *, by: Actor) -> bool:
    """Have a device pinged from its rack, and tell whether it answered.

    Half a second as a rule, some three where it is silent, 10 at most. Raises NoAnswerError when nobody at the
    rack pinged it in that time, or was able to.
    """
    operation = services.ping(device_id, by=by)
    deadline, pause = Deadline.after(_SECONDS), _FIRST_LOOK_SECONDS
    while True:
        operation.refresh_from_db(fields=["status", "result", "message"])
        if operation.status not in OPEN:
            return _answered(operation)
        if deadline.expired:
            operations.call_off(operation)
            rack = operation.device.rack.name
            raise NoAnswerError(f"nobody pinged in {_SECONDS:g} s; does a worker of rack {rack} run?")
        time.sleep(min(pause, deadline.remaining()))
        pause = min(1.5 * pause, _LAST_LOOK_SECONDS)


def board_answers(controller: PowerController) -> bool:
    """Make a power controller's own two-way test from this host; False when it does not pass it in 10 s.

    Raises ConflictError while a worker keeps the board busy, and where the row can't be right.
    """
    try:
        return services.test_controller(controller)
    except Misconfigured as error:
        raise ConflictError(f"power controller {controller.name}: {error}", field="relay") from error
    except HardwareError:
        return False


def _answered(operation: Operation) -> bool:
    if operation.status == Status.DONE:
        return True
    if operation.result == Answer.FAILED:
        return False
    raise NoAnswerError(operation.message or f"the ping was not made: it is {operation.status}")
