"""The writes that the device table names: each changes the locked row's attributes, in the step's transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from devices.models import Device, Image, ImageBootConfig
from devices.models.device import Health, Result
from devices.models.image import MAINTENANCE, OWN_IMAGES, SELF_TEST
from lifeguard.blame import config_digest
from lifeguard.facts import StoredFacts
from lifeguard.models import Install
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import REPEATS


@dataclass(frozen=True)
class Context:
    """What a write may know: the locked row, what happened, and when."""

    device: Device
    event: Event
    facts: StoredFacts
    now: datetime


Write = Callable[[Context], None]


def _begin_task(context: Context) -> None:
    context.device.task_seq += 1
    context.device.result = Result.PENDING


def _set_next_image(context: Context) -> None:
    image = context.event.arguments["image"]
    if not isinstance(image, Image):
        raise TypeError(f"please_image came with {image!r} in the place of an image")
    context.device.next_image = image
    context.device.next_boot_config = str(context.event.arguments["boot_config"])


def _next_is(name: str) -> Write:
    def write(context: Context) -> None:
        image = Image.objects.filter(name=name).values_list("pk", flat=True).first()
        context.device.next_image_id = image
        context.device.next_boot_config = "{}" if image else ""

    return write


def _forget_next_image(context: Context) -> None:
    context.device.next_image_id = None
    context.device.next_boot_config = ""


def _forget_image(context: Context) -> None:
    context.device.image_id = None
    context.device.boot_config = ""


def _adopt_next_image(context: Context) -> None:
    device = context.device
    if device.next_image_id is None:
        return
    _record_install(context, succeeded=True)
    device.image_id, device.boot_config = device.next_image_id, device.next_boot_config
    _forget_next_image(context)


def _netboot_on(context: Context) -> None:
    _netboot_stays_on(context)
    context.device.boot_seq += 1


def _netboot_stays_on(context: Context) -> None:
    context.device.netboot_id = boot_config_for(context.device)


def _netboot_off(context: Context) -> None:
    context.device.netboot_id = None


def _report_complete(context: Context) -> None:
    device = context.device
    device.result = Result.COMPLETE
    device.failures = 0
    _report_healthy(context)


def _report_healthy(context: Context) -> None:
    device = context.device
    device.health = Health.GOOD
    # Its boot is over, and with it what the boot's token opens.
    device.boot_seq += 1
    device.quarantine_reason = device.quarantine_by = device.quarantine_bug = ""
    device.quarantine_since = None


def _report_failure(context: Context) -> None:
    device = context.device
    image_suspect = context.facts.image_suspect
    _record_install(context, succeeded=False)
    if image_suspect:
        device.result = Result.BAD_IMAGE
        return
    device.result = Result.BAD_DEVICE
    device.failures += 1
    device.health = Health.BAD
    if device.quarantine_by:
        # What a person has found out tells more, and stands until the device is well again.
        return
    device.quarantine_reason = f"{device.state} gave up after {context.event.name}"[:300]
    device.quarantine_since = context.now


def _report_unreachable(context: Context) -> None:
    """Report a task that the infrastructure never got done: nothing of it is held against the device."""
    device, event = context.device, context.event
    device.result = Result.BAD_DEVICE
    device.health = Health.UNKNOWN
    if device.quarantine_by:
        return
    hours = (context.now - device.state_since).total_seconds() / 3600
    what = str(event.arguments.get("message") or event.name)
    tried = device.counters.get(REPEATS, 0)
    reason = f"{what[:200]}; {device.state} was begun again {tried} times in {hours:.1f} h"
    device.quarantine_reason = reason[:300]
    device.quarantine_since = context.now


def _withdraw(context: Context) -> None:
    """Tell the request that its device is taken away, unless it has heard of it otherwise."""
    device = context.device
    if device.held_by is not None and device.result in (Result.PENDING, Result.COMPLETE):
        device.result = Result.WITHDRAWN


def _record_install(context: Context, *, succeeded: bool) -> None:
    device = context.device
    if device.next_image is None or device.next_image.name in OWN_IMAGES:
        return
    Install.objects.create(
        device=device,
        image=device.next_image,
        config_digest=config_digest(device.next_boot_config),
        succeeded=succeeded,
        healthy_before=device.failures == 0,
        failed_in="" if succeeded else device.state,
        finished=context.now,
    )


def boot_config_for(device: Device) -> int | None:
    """Find the active boot config that brings the next image onto this hardware; None where there is none."""
    if device.next_image_id and Device._meta.get_field("next_image").is_cached(device):
        return device.next_image.installers.get(device.hardware_type_id) if device.next_image else None
    cell = ImageBootConfig.objects.filter(
        image=device.next_image_id, hardware_type=device.hardware_type_id, boot_config__active=True
    )
    # The matrix has one row at most for these: an order would only cost time.
    return next(iter(cell.order_by().values_list("boot_config", flat=True)), None)


WRITES: dict[str, Write] = {
    "begin_task": _begin_task,
    "set_next_image": _set_next_image,
    "next_is_self_test": _next_is(SELF_TEST),
    "next_is_maintenance": _next_is(MAINTENANCE),
    "forget_next_image": _forget_next_image,
    "forget_image": _forget_image,
    "adopt_next_image": _adopt_next_image,
    "netboot_on": _netboot_on,
    "netboot_stays_on": _netboot_stays_on,
    "netboot_off": _netboot_off,
    "report_complete": _report_complete,
    "report_healthy": _report_healthy,
    "report_failure": _report_failure,
    "report_unreachable": _report_unreachable,
    "withdraw": _withdraw,
}
COLUMNS = (
    "image_id",
    "boot_config",
    "next_image_id",
    "next_boot_config",
    "netboot_id",
    "boot_seq",
    "task_seq",
    "result",
    "failures",
    "health",
    "quarantine_reason",
    "quarantine_by",
    "quarantine_bug",
    "quarantine_since",
    "idle_since",
)
