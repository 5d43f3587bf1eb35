"""A power controller's driver as its row describes it, and what is remembered of how it answers."""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from bmm.drivers.guard import guarded_settings
from bmm.drivers.power import PowerDriver, driver_class, make_driver
from bmm.drivers.power.base import Power
from bmm.errors import HardwareError, Misconfigured, Unreachable
from bmm.models import Operation, Status
from bmm.operations import POWER_KINDS, Answer
from bmm.signals import controller_suspected
from devices.models import PowerController
from devices.models.power_controller import SILENT, suspect

logger = logging.getLogger(__name__)

# Three devices of one controller failing within two minutes: the controller is to blame, for ten minutes. So is one
# that nothing is heard of, at once.
_SUSPECT_DEVICES = 3
_SUSPECT_WITHIN = timedelta(minutes=2)
_SUSPECT_FOR = timedelta(minutes=10)


def driver_of(controller: PowerController) -> PowerDriver:
    """Build the driver of a row, without touching the hardware; raises Misconfigured."""
    driver = make_driver(controller.driver, controller.address, controller.settings)
    with guarded_settings(f"the address of {controller.name}"):
        driver.check_address(controller.address)
    driver.stagger_seconds = controller.stagger_seconds
    return driver


def named_outlets(driver: PowerDriver) -> list[str]:
    """Return the outlets that a driver can name without asking its controller; raises Misconfigured."""
    with guarded_settings(f"the outlets of {driver.address}"):
        return list(driver.every_outlet())


def secret_settings(driver: str, stored: Collection[str]) -> set[str]:
    """Name a driver's secret settings; of one that is not installed any that is stored may be one."""
    try:
        return {spec.name for spec in driver_class(driver).settings if spec.secret}
    except Misconfigured:
        return set(stored)


def why_no_outlet(driver: str, outlet: str) -> str | None:
    """Return what is wrong with an outlet's name, if its driver can tell."""
    try:
        with guarded_settings(f"outlet {outlet} of {driver}"):
            driver_class(driver).check_outlet(outlet)
    except Misconfigured as error:
        return str(error)
    return None


def rest_after(driver: PowerDriver) -> float:
    """Give the seconds for which a controller is left alone after a connection, so that the next one staggers too."""
    return max(driver.rest_seconds, driver.stagger_seconds)


def note_health(controller: PowerController, found: Collection[Power], now: datetime) -> None:
    """Remember when a controller answered, and what went wrong last; one that was silent is trusted again.

    `found` is what each outlet gave; in a result of switching, None is success.
    """
    errors = [error for error in found if isinstance(error, HardwareError)]
    row = PowerController.objects.filter(pk=controller.pk)
    # What nobody sent is no sign of life: a wrong configuration may have kept us from asking.
    if any(not isinstance(each, (Unreachable, Misconfigured)) for each in found):
        # One that answered all the while and did not switch has to show that it does (`blame`).
        row.filter(SILENT).update(suspect_until=None)
        row.update(last_contact=now)
    if errors:
        row.update(last_error=str(errors[0])[:300], last_error_at=now)


def blame(
    controller: PowerController,
    results: Mapping[Operation, HardwareError | None],
    now: datetime,
    *,
    silent: bool,
) -> bool:
    """Whether the controller is to blame for what failed in a batch, rather than its devices; remembers it if so.

    It is when it was `silent`, while it is under suspicion, and when the third of its devices failed within two
    minutes. A batch in which all went well clears it.
    """
    row = PowerController.objects.filter(pk=controller.pk)
    tried = {op: error for op, error in results.items() if not isinstance(error, Misconfigured)}
    failed = [op for op, error in tried.items() if error is not None]
    if not failed:
        if tried:
            row.filter(suspect_until__isnull=False).update(suspect_until=None)
        return False
    known = row.filter(suspect(now)).exists()
    if silent or (not known and _many_failed(controller, failed, now)):
        row.update(suspect_until=now + _SUSPECT_FOR)
        if not known:
            logger.error(
                "power controller %s is suspect: %s", controller.name, next(filter(None, tried.values()))
            )
            transaction.on_commit(partial(_tell, controller.pk))
        return True
    return known


def prolong_suspicion(controller: PowerController, now: datetime) -> None:
    """Keep a controller that is suspect, and has failed again, under suspicion."""
    PowerController.objects.filter(pk=controller.pk).update(suspect_until=now + _SUSPECT_FOR)


def _many_failed(controller: PowerController, failed: Collection[Operation], now: datetime) -> bool:
    lately = Operation.objects.filter(
        controller_id=controller.pk,
        kind__in=POWER_KINDS,
        status=Status.FAILED,
        finished__gte=now - _SUSPECT_WITHIN,
        result__in=(Answer.FAILED, Answer.UNREACHABLE),
    )
    devices = set(lately.values_list("device_id", flat=True)) | {op.device_id for op in failed}
    return len(devices) >= _SUSPECT_DEVICES


def _tell(controller_id: int) -> None:
    controller_suspected.send_robust(PowerController, controller_id=controller_id)
