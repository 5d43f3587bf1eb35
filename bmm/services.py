"""Hardware work that somebody asks for by hand, past Lifeguard: each is a committed operation, then a doorbell.

The device's machine hears nothing of it: the result is journalled, and shown to whoever asked.
"""

from collections.abc import Callable
from datetime import datetime

from bmm import controller_lease, operations
from bmm.controllers import driver_of, note_health, rest_after
from bmm.deadline import Deadline
from bmm.drivers.power.base import Power
from bmm.errors import HardwareError, Refused
from bmm.models import Kind, Operation
from devices import journal
from devices.models import BootConfig, Device, PowerController
from devices.queues import queue_of
from mozpool_site import clock, doorbell
from mozpool_site.access import audit
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

SYNC_TASK = "lifeguard.tasks.sync_boot_file"
# While a worker drains the controller; a test or reading a full board takes a second or two.
_TURN_SECONDS = 5.0
_READ_SECONDS = 10.0


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


def ping(device_id: int, *, by: Actor) -> Operation:
    """Queue asking a device, from its rack, whether it answers ping."""
    return _queue(device_id, Kind.PING, by)


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


def test_controller(controller: PowerController) -> bool:
    """Ask a power controller for a sign of life that switches nothing; False for a wrong one. At most 10 s.

    Remembers how it answered. Raises Unreachable for silence, Misconfigured where the row can't be right or the
    driver has no such question, ConflictError while somebody else talks to it for five seconds.
    """
    driver = driver_of(controller)
    with controller_lease.in_turn(controller, rest_after(driver), _TURN_SECONDS):
        try:
            sound = driver.test(Deadline.after(_READ_SECONDS))
        except HardwareError as error:
            note_health(controller, [error], clock.now())
            raise
    wrong = Refused(f"{controller.address} answers, but does not pass its test")
    note_health(controller, [sound or wrong], clock.now())
    return sound


def read_outlets(controller: PowerController) -> dict[str, Power]:
    """Ask for the power of all outlets over one connection, in 10 s at most.

    All are those that the driver can name, or else those that devices are plugged into. True and False are on and
    off, None is what the controller cannot tell, an error what asking met. Raises Misconfigured where the row can't
    be right, ConflictError while somebody else talks to it for five seconds.
    """
    driver = driver_of(controller)
    plugged = controller.devices.exclude(outlet="").values_list("outlet", flat=True)
    outlets = driver.every_outlet() or sorted(plugged)
    if not driver.verifies:
        return dict.fromkeys(outlets)
    with controller_lease.in_turn(controller, rest_after(driver), _TURN_SECONDS):
        found = driver.read(outlets, Deadline.after(_READ_SECONDS))
    note_health(controller, found.values(), clock.now())
    return found


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
        why = f": {reason}" if reason else ""
        asked = f"{kind.label} asked for by {by.name}{why}"
        journal.append([journal.line(asked, now, device_id=device.pk, by=by, event=f"manual_{kind.value}")])
        if kind in operations.POWER_KINDS:
            # What it boots from the network is at hand where `prepare` has set it, and worth no query elsewhere.
            told = {"reason": reason, "netboot": str(device.netboot) if arguments.get("netboot") else None}
            audit.record_asked(
                kind.value, "device", device.name, by=by, after=told, request_id=device.held_by
            )
        return operations.queue(device, kind.value, now, arguments=arguments, actor=by.name[:100])

    return transact()


def _lock(device_id: int) -> tuple[Device, datetime]:
    # The device alone: its rack's row is shared by all, and only read.
    device = Device.objects.select_for_update().filter(pk=device_id).first()
    if device is None:
        raise UnknownNameError(f"there is no device {device_id}", field="device")
    return device, clock.now()
