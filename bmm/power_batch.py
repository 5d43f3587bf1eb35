"""One batch of power operations over a controller's connection: each operation gets its outcome, whatever happens.

The hardware's errors are outcomes; what nobody foresaw in one operation is one, too, and is logged.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Protocol

from bmm import bootfiles
from bmm.controllers import blame, note_health
from bmm.deadline import Deadline
from bmm.drivers.guard import guarded
from bmm.drivers.power import PowerDriver
from bmm.errors import Garbled, HardwareError, Misconfigured, Unreachable
from bmm.models import Kind, Operation
from bmm.operations import Answer, Outcome
from bmm.perform import outcome_of
from devices import journal
from devices.models import Device, PowerController
from mozpool_site import clock
from mozpool_site.transactions import patiently

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 5.0

Found = Mapping[str, HardwareError | None]


class Late(Protocol):
    """Claims operations that have come since."""

    def __call__(self, *, busy: Collection[str]) -> list[Operation]:
        """Return those that are ours now."""


def carry_out(
    controller: PowerController,
    driver: PowerDriver,
    batch: Collection[Operation],
    deadline: Deadline,
    claim_late: Late,
) -> Iterator[tuple[Operation, Outcome]]:
    """Switch for a whole batch, then give each operation its outcome.

    `claim_late` claims the power cycles that have come since, but of none of the outlets that it is given.
    """
    cycles: dict[str, Operation] = {}
    offs: dict[str, Operation] = {}
    refused: list[tuple[Operation, Outcome]] = []

    def take(operations: Collection[Operation]) -> list[str]:
        taken = []
        for operation in operations:
            refusal = prepare(operation)
            if refusal:
                refused.append((operation, refusal))
                continue
            outlet = operation.of_device.outlet
            (cycles if operation.kind == Kind.POWER_CYCLE else offs)[outlet] = operation
            taken.append(outlet)
        return taken

    def late() -> list[str]:
        try:
            return take(claim_late(busy=[*cycles, *offs]))
        except Exception:
            logger.exception("what came late for %s can't be claimed", controller.name)
            return []

    take(batch)
    results = {
        **_switched(driver.power_off, offs, controller, deadline),
        **_switched(partial(driver.cycle, late=late), cycles, controller, deadline),
    }
    yield from refused
    suspect = _remembered(controller, driver, results, deadline)
    for operation, error in results.items():
        yield operation, outcome_of(error, suspect=suspect)


def prepare(operation: Operation) -> Outcome | None:
    """Put the boot file right before the power goes; say what makes the operation impossible."""
    device = operation.of_device
    if not device.outlet:
        return Outcome(Answer.MISCONFIGURED, f"{device.name} has no power outlet")
    if operation.arguments.get("netboot") and device.netboot_id is None:
        return Outcome(Answer.NO_BOOT_CONFIG, f"no boot config of {device.next_image} for this hardware")
    try:
        # Claimed already: to give up for a database that restarts would cost the operation its whole lease.
        patiently(lambda: bootfiles.sync(device.pk), _PATIENCE_SECONDS)
        if operation.arguments.get("netboot"):
            _tell_what_is_withheld(device)
    except Misconfigured as error:
        return Outcome(Answer.MISCONFIGURED, str(error))
    except OSError as error:
        return Outcome(Answer.UNREACHABLE, f"boot file of {device.name}: {error}")
    except Exception as error:
        logger.exception("the boot file of %s can't be written", device.name)
        return Outcome(Answer.UNREACHABLE, f"boot file of {device.name}: {type(error).__name__}, see the log")
    return None


def _tell_what_is_withheld(device: Device) -> None:
    """Tell in the device's journal which loader would not boot it from the network; it may have another."""
    now = clock.now()
    lines = [
        journal.line(reason, now, device_id=device.pk, event="boot_file")
        for reason in bootfiles.withheld(device)
    ]
    if lines:
        journal.append(lines)


def _switched(
    act: Callable[[Collection[str], Deadline], Found],
    operations: Mapping[str, Operation],
    controller: PowerController,
    deadline: Deadline,
) -> dict[Operation, HardwareError | None]:
    """Switch the outlets of operations; one that the driver says nothing of may be in any state."""
    found: Found = {}
    if operations:
        try:
            with guarded(f"switching {controller.name}"):
                found = act(operations, deadline)
        except HardwareError as error:
            found = dict.fromkeys(operations, error)
    unknown = Garbled(f"the driver of {controller.name} does not say what became of this outlet")
    return {operation: found.get(outlet, unknown) for outlet, operation in operations.items()}


def _remembered(
    controller: PowerController,
    driver: PowerDriver,
    results: Mapping[Operation, HardwareError | None],
    deadline: Deadline,
) -> bool:
    """Remember the controller's health; whether it is to blame for what failed, rather than its devices."""
    silent = _is_silent(driver, results.values(), deadline)

    def remember() -> bool:
        now = clock.now()
        note_health(controller, results.values(), now)
        return blame(controller, results, now, silent=silent)

    try:
        return patiently(remember, _PATIENCE_SECONDS)
    except Exception:
        logger.exception("the health of %s can't be stored", controller.name)
        return silent


def _is_silent(driver: PowerDriver, errors: Collection[HardwareError | None], deadline: Deadline) -> bool:
    """Whether nothing is heard of a controller: no outlet that was tried, and no answer to its own test."""
    tried = [error for error in errors if not isinstance(error, Misconfigured)]
    if not tried or not all(isinstance(error, Unreachable) for error in tried):
        return False
    if not driver.was_open:
        return True
    try:
        return not driver.test(deadline)
    except HardwareError:
        return True
