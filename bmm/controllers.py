"""A power controller's driver as its row describes it, and what is remembered of how it answers."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from bmm.drivers.power import PowerDriver, make_driver
from bmm.drivers.power.base import Power
from bmm.errors import HardwareError, Misconfigured, Unreachable
from bmm.models import Operation, Status
from bmm.operations import POWER_KINDS, Answer
from devices.models import PowerController

logger = logging.getLogger(__name__)

# Three devices of one controller failing within two minutes: the controller is to blame, for ten minutes.
_SUSPECT_DEVICES = 3
_SUSPECT_WITHIN = timedelta(minutes=2)
_SUSPECT_FOR = timedelta(minutes=10)


def driver_of(controller: PowerController) -> PowerDriver:
    """Build the driver of a row, without touching the hardware; raises Misconfigured."""
    driver = make_driver(controller.driver, controller.address, controller.settings)
    driver.check_address(controller.address)
    driver.stagger_seconds = controller.stagger_seconds
    return driver


def rest_after(driver: PowerDriver) -> float:
    """Give the seconds for which a controller is left alone after a connection, so that the next one staggers too."""
    return max(driver.rest_seconds, driver.stagger_seconds)


def note_health(controller: PowerController, found: Collection[Power], now: datetime) -> None:
    """Remember when a controller answered, and what went wrong last.

    `found` is what each outlet gave; in a result of switching, None is success.
    """
    errors = [error for error in found if isinstance(error, HardwareError)]
    columns: dict[str, object] = {}
    # What nobody sent is no sign of life: a wrong configuration may have kept us from asking.
    if any(not isinstance(each, (Unreachable, Misconfigured)) for each in found):
        columns["last_contact"] = now
    if errors:
        columns |= {"last_error": str(errors[0])[:300], "last_error_at": now}
    if columns:
        PowerController.objects.filter(pk=controller.pk).update(**columns)


def blame(controller: PowerController, failed: Collection[Operation], now: datetime) -> bool:
    """Whether the controller is to blame for what failed now, rather than its devices; remembers it if so."""
    if not failed:
        return False
    if controller.suspect_until and controller.suspect_until > now:
        return True
    lately = Operation.objects.filter(
        controller_id=controller.pk,
        kind__in=POWER_KINDS,
        status=Status.FAILED,
        finished__gte=now - _SUSPECT_WITHIN,
        result__in=(Answer.FAILED, Answer.UNREACHABLE),
    )
    devices = set(lately.values_list("device_id", flat=True)) | {op.device_id for op in failed}
    if len(devices) < _SUSPECT_DEVICES:
        return False
    until = now + _SUSPECT_FOR
    PowerController.objects.filter(pk=controller.pk).update(suspect_until=until)
    logger.error("power controller %s is suspect: %d devices failed", controller.name, len(devices))
    return True
