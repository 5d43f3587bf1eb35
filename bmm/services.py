"""Hardware work that somebody asks for by hand, past Lifeguard: each is a committed operation, then a doorbell.

The device's machine hears nothing of it: the result is journalled, and shown to whoever asked.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from bmm import operations
from bmm.models import OPEN, QUESTIONS, Kind, Operation
from devices import journal
from devices.models import BootConfig, Device, PowerController
from devices.queues import queue_of
from mozpool_site import clock, doorbell
from mozpool_site.access import audit
from mozpool_site.errors import ConflictError, InvalidInputError, TooManyError, UnknownNameError
from mozpool_site.statemachine.runner import MACHINE, Actor
from mozpool_site.transactions import retrying

SYNC_TASK = "lifeguard.tasks.sync_boot_file"
# Questions of one caller that nobody has answered yet: a list page tests a hundred controllers at once.
_MOST_OPEN = 200
_WAITED_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class Asked:
    """A question's operation, and whether it was stored for this caller or was under way already."""

    operation: Operation
    is_new: bool


def power_cycle(
    device_id: int,
    *,
    by: Actor,
    boot_config: BootConfig | None = None,
    boot_config_values: str = "{}",
    held_by: int | None = None,
) -> Operation:
    """Queue a power cycle into the network with `boot_config`, or into the device's own storage without one.

    `boot_config_values` is what the booting device is told of its image, as JSON text. With `held_by` only while that
    request has the device. Raises ConflictError for a device without an outlet, or that has changed hands,
    InvalidInputError for a boot config that is not active.
    """
    if boot_config is not None and not boot_config.active:
        raise InvalidInputError(f"boot config {boot_config.name} is not active", field="boot_config")

    def prepare(device: Device) -> dict[str, object]:
        if held_by not in (None, device.held_by):
            raise ConflictError(f"request {held_by} has {device.name} no longer", field="device")
        device.netboot = boot_config
        if boot_config is None:
            device.save(update_fields=["netboot"])
            return {"netboot": False}
        device.boot_seq += 1
        device.next_boot_config = boot_config_values
        device.save(update_fields=["netboot", "boot_seq", "next_boot_config"])
        return {"netboot": True}

    return _queue(device_id, Kind.POWER_CYCLE, by, prepare=prepare)


def power_off(device_id: int, *, by: Actor, reason: str = "") -> Operation:
    """Queue taking a device's power away. Raises ConflictError for a device without an outlet."""
    return _queue(device_id, Kind.POWER_OFF, by, reason=reason)


@retrying
def ping(device_id: int, *, by: Actor) -> Asked:
    """Queue asking a device, from its rack, whether it answers ping; who asks meanwhile gets the same answer."""
    device, now = _lock(device_id)
    asked = Operation.objects.filter(device=device, kind=Kind.PING, state_seq=None, status__in=OPEN).first()
    if asked is not None:
        return Asked(asked, is_new=False)
    return Asked(_store(device, Kind.PING, now, by), is_new=True)


@retrying
def ask_controller(controller_id: int, kind: Kind, *, by: Actor) -> Asked:
    """Queue a question to a power controller: its rack's worker asks it, and stores what it found.

    Who asks the same while it is under way gets the same answer. Raise UnknownNameError where there is none any more,
    TooManyError where `by` waits for very many answers already.
    """
    controller = PowerController.objects.select_for_update().filter(pk=controller_id).first()
    if controller is None:
        raise UnknownNameError(f"there is no power controller {controller_id}", field="controller")
    asked = Operation.objects.filter(controller=controller, kind=kind, status__in=OPEN).first()
    if asked is not None:
        return Asked(asked, is_new=False)
    demand_few_open(by, QUESTIONS)
    return Asked(operations.queue_question(controller, kind, clock.now(), actor=by.name[:100]), is_new=True)


def clear_netboot(device_id: int, *, by: Actor) -> bool:
    """Let a device boot from its own storage next; False when it would have done so anyway."""

    @retrying
    def transact() -> bool:
        device, now = _lock(device_id)
        if device.netboot_id is None:
            return False
        device.netboot = None
        device.save(update_fields=["netboot"])
        note = journal.line("network boot cleared", now, device_id=device.pk, by=by, event="clear_netboot")
        journal.append([note])
        audit.record_asked("clear_netboot", "device", device.name, by=by, request_id=device.held_by)
        doorbell.ring(queue_of(device.rack_id), SYNC_TASK, device.pk)
        return True

    return transact()


def demand_few_open(by: Actor, kinds: Collection[Kind]) -> None:
    """Raise TooManyError where somebody has as many open questions of these kinds as anybody may."""
    theirs = Operation.objects.filter(status__in=OPEN, kind__in=kinds, state_seq=None, actor=by.name[:100])
    # Where no worker comes, questions may lie for days: nobody waits for these.
    theirs = theirs.filter(created__gt=clock.DB_NOW - _WAITED_FOR)
    if by != MACHINE and theirs.count() >= _MOST_OPEN:
        raise TooManyError(
            f"{by.name} waits for {_MOST_OPEN} answers of hardware already; ask again in some seconds",
            retry_after=5,
        )


def _queue(
    device_id: int,
    kind: Kind,
    by: Actor,
    *,
    reason: str = "",
    prepare: Callable[[Device], dict[str, object]] = lambda _: {},
) -> Operation:
    """Lock the device, let `prepare` change it and give the operation's arguments, and store it all at once."""

    @retrying
    def transact() -> Operation:
        device, now = _lock(device_id)
        if kind in operations.POWER_KINDS and (device.power_controller_id is None or not device.outlet):
            raise ConflictError(f"{device.name} is plugged into no power outlet that we know", field="outlet")
        arguments = prepare(device)
        if kind in operations.POWER_KINDS:
            # One is enough: the last one asked for says how the device is to end.
            operations.supersede_manual(device)
        stored = _store(device, kind, now, by, reason=reason, arguments=arguments)
        if kind in operations.POWER_KINDS:
            # What it boots from the network is at hand where `prepare` has set it, and worth no query elsewhere.
            told = {"reason": reason, "netboot": str(device.netboot) if arguments.get("netboot") else None}
            audit.record_asked(
                kind.value, "device", device.name, by=by, after=told, request_id=device.held_by
            )
        return stored

    return transact()


def _store(
    device: Device,
    kind: Kind,
    now: datetime,
    by: Actor,
    *,
    reason: str = "",
    arguments: dict[str, object] | None = None,
) -> Operation:
    """Store an operation on a device that is locked, and tell the journal who asked for it."""
    asked = f"{kind.label} asked for by {by.name}" + (f": {reason}" if reason else "")
    journal.append([journal.line(asked, now, device_id=device.pk, by=by, event=f"manual_{kind.value}")])
    return operations.queue(device, kind.value, now, arguments=arguments, actor=by.name[:100])


def _lock(device_id: int) -> tuple[Device, datetime]:
    # The device alone: its rack's row is shared by all, and only read.
    device = Device.objects.select_for_update().filter(pk=device_id).first()
    if device is None:
        raise UnknownNameError(f"there is no device {device_id}", field="device")
    return device, clock.now()
