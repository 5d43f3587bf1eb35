"""Asks a power controller what switches nothing: whether it is well, and what its outlets read.

For whoever holds its lease: the worker that drains its queue, and an operator's command on the rack's host. All others
store an operation (`bmm.services`) and look at what it found.
"""

from collections.abc import Callable, Mapping
from functools import partial

from bmm import controller_lease
from bmm.controllers import driver_of, named_outlets, note_health, prolong_suspicion, rest_after
from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver
from bmm.drivers.power.base import Power
from bmm.errors import HardwareError, Misconfigured, Refused
from bmm.models import Kind
from bmm.operations import TIMES, Answer, Outcome
from devices.models import PowerController
from devices.models.power_controller import suspect
from mozpool_site import clock
from mozpool_site.transactions import patiently

# While a worker drains the controller.
_TURN_SECONDS = 5.0
_PATIENCE_SECONDS = 5.0

Ask = Callable[[PowerController, PowerDriver, Deadline], Outcome]


def ask(kind: Kind, controller: PowerController, driver: PowerDriver, deadline: Deadline) -> Outcome:
    """Ask, remember how the controller answered, and return what was found. The caller holds its lease."""
    try:
        return _QUESTIONS[kind](controller, driver, deadline)
    except Misconfigured as error:
        return Outcome(Answer.MISCONFIGURED, str(error), error.advice)
    except HardwareError as error:
        _note(controller, [error])
        return Outcome(Answer.UNREACHABLE if error.retry else Answer.FAILED, str(error), error.advice)


def ask_from_here(kind: Kind, controller: PowerController) -> Outcome:
    """Ask from this host, as the rack's worker would, once the controller's lease is free.

    Raise ConflictError, naming the holder, while somebody else talks to it for five seconds.
    """
    try:
        driver = driver_of(controller)
    except Misconfigured as error:
        return Outcome(Answer.MISCONFIGURED, str(error), error.advice)
    with controller_lease.in_turn(controller, rest_after(driver), _TURN_SECONDS):
        return ask(kind, controller, driver, Deadline.after(TIMES[kind].deadline))


def _test(controller: PowerController, driver: PowerDriver, deadline: Deadline) -> Outcome:
    if driver.test(deadline):
        _note(controller, [True])
        return Outcome(Answer.OK, "is well")
    wrong = Refused(f"{controller.address} answers, but does not pass its test")
    _note(controller, [wrong])
    return Outcome(Answer.FAILED, str(wrong), wrong.advice)


def _read(controller: PowerController, driver: PowerDriver, deadline: Deadline) -> Outcome:
    """Read all outlets that the driver can name, or else those that devices are plugged into."""
    plugged = controller.devices.exclude(outlet="").values_list("outlet", flat=True)
    outlets = named_outlets(driver) or sorted(plugged)
    if not driver.verifies:
        return Outcome(Answer.OK, "can't tell", found=_as_found(dict.fromkeys(outlets)))
    read = driver.read(outlets, deadline)
    _note(controller, list(read.values()))
    errors = [power for power in read.values() if isinstance(power, HardwareError)]
    if errors and len(errors) == len(read):
        # One reason for all of them, as a rule: it is told once.
        return Outcome(Answer.UNREACHABLE, str(errors[0]), errors[0].advice, _as_found(read))
    return Outcome(Answer.OK, f"{len(read) - len(errors)} of {len(read)} outlets read", found=_as_found(read))


def _as_found(read: Mapping[str, Power]) -> dict[str, object]:
    """Write what was read as JSON: `power` is true, false, or null where nobody can tell; `errors` are sentences."""
    errors = {outlet: str(power) for outlet, power in read.items() if isinstance(power, HardwareError)}
    return {"power": {outlet: read[outlet] for outlet in read if outlet not in errors}, "errors": errors}


def _note(controller: PowerController, found: list[Power]) -> None:
    patiently(partial(_note_now, controller, found), _PATIENCE_SECONDS)


def _note_now(controller: PowerController, found: list[Power]) -> None:
    now = clock.now()
    # What is under suspicion and does not answer as it should stays so, also where it answers something.
    failed = bool(found) and all(isinstance(power, HardwareError) for power in found)
    suspected = failed and PowerController.objects.filter(suspect(now), pk=controller.pk).exists()
    note_health(controller, found, now)
    if suspected:
        prolong_suspicion(controller, now)


_QUESTIONS: dict[Kind, Ask] = {Kind.TEST_CONTROLLER: _test, Kind.READ_OUTLETS: _read}
