"""The one table of what can be done to many devices at once, and how each is done to one, by the services there are."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bmm import services as hardware
from bmm.models import OPEN, Operation
from devices import services as notes
from devices.models import BootConfig, Device, Image
from devices.services import LONGEST_COMMENTS
from lifeguard import quarantine, services
from lifeguard.bulk import arguments as takes
from lifeguard.bulk.arguments import Check, Field
from mozpool_site.access.roles import Role
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor


@dataclass(frozen=True)
class Ask:
    """One device's share of a batch. `device` is as it was read at the beginning of the open transaction."""

    device: Device
    arguments: Mapping[str, Any]
    by: Actor
    reason: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Asked:
    """What was begun: an operation to follow, a device on its way to a goal, or (neither) something done already."""

    operation: int | None = None
    task_seq: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Verb:
    """One action. `does` says what it will do, for whoever is about to confirm it.

    `event` is what the table must take in the device's state, where it is asked at all (lifeguard/states.py).
    `goal` is the state that the device's machine brings it to, empty for what it has no part in; `new_task` whether
    it counts as a task of the device, with a result. `holder_may`: also who holds the device, whatever their role.
    `keeps_reason`: the service itself stores the reason. `disturbs`: whoever uses the device notices.
    """

    name: str
    label: str
    does: str
    apply: Callable[[Ask], Asked]
    check: Check = takes.nothing
    fields: tuple[Field, ...] = ()
    least: Role = Role.OPERATOR
    dangerous: bool = False
    needs_reason: bool = False
    keeps_reason: bool = False
    holder_may: bool = False
    disturbs: bool = True
    event: str = ""
    goal: str = ""
    new_task: bool = False


def _please(verb: str) -> Callable[[Ask], Asked]:
    def apply(ask: Ask) -> Asked:
        image, boot_config = None, "{}"
        if verb == "image":
            image = _image(ask.arguments["image"])
            boot_config = json.dumps(ask.arguments["boot_config"], sort_keys=True)
        moved = services.please(ask.device.pk, verb, by=ask.by, image=image, boot_config=boot_config)
        return _on_its_way(moved)

    return apply


def _power_cycle(ask: Ask) -> Asked:
    holders, holder = ask.arguments.get("held_by"), None
    if holders is not None:
        # Whoever held it when they asked; the service looks again, under the device's lock.
        holder = ask.device.held_by
        if holder not in holders:
            told = " or ".join(map(str, holders))
            raise ConflictError(f"request {told} has {ask.device.name} no longer", field="device")
    return Asked(hardware.power_cycle(ask.device.pk, by=ask.by, held_by=holder).pk)


def _pxe_boot(ask: Ask) -> Asked:
    boot_config = BootConfig.objects.filter(name=ask.arguments["netboot"]).first()
    if boot_config is None:
        raise UnknownNameError(f"boot config {ask.arguments['netboot']} is gone", field="netboot")
    values = json.dumps(ask.arguments["boot_config"], sort_keys=True)
    operation = hardware.power_cycle(
        ask.device.pk, by=ask.by, boot_config=boot_config, boot_config_values=values
    )
    return Asked(operation.pk)


def _power_off(ask: Ask) -> Asked:
    return Asked(hardware.power_off(ask.device.pk, by=ask.by, reason=ask.reason).pk)


def _clear_pxe(ask: Ask) -> Asked:
    cleared = hardware.clear_netboot(ask.device.pk, by=ask.by)
    return Asked(message="cleared" if cleared else "there was nothing to clear")


def _ping(ask: Ask) -> Asked:
    return Asked(hardware.ping(ask.device.pk, by=ask.by).operation.pk)


def _force_state(ask: Ask) -> Asked:
    services.force_state(ask.device.pk, ask.expected, ask.arguments["to"], by=ask.by, reason=ask.reason)
    return Asked(message=f"forced from {ask.expected} to {ask.arguments['to']}")


def _troubleshoot(ask: Ask) -> Asked:
    now_in, state = _state(ask.device), "troubleshooting"
    if now_in == state:
        raise ConflictError(f"{ask.device.name} is {state} already", field="state")
    services.force_state(ask.device.pk, now_in, state, by=ask.by, reason=ask.reason)
    return Asked(message=f"left {now_in}")


def _lock_out(ask: Ask) -> Asked:
    """Quarantine a device: who locks one out says what is wrong with it."""
    left = _state(ask.device)
    quarantine.lock_out(ask.device.pk, reason=ask.reason, bug=ask.arguments.get("bug", ""), by=ask.by)
    return Asked(message=f"left {left}")


def _return_to_pool(ask: Ask) -> Asked:
    """Bring a device back by way of a self-test: nothing returns without one that it has passed."""
    now_in = _state(ask.device)
    if now_in == "ready" and not quarantine.is_quarantined(ask.device.health, ask.device.quarantine_by):
        raise ConflictError(f"{ask.device.name} is ready: it is in the pool", field="state")
    if now_in != "locked_out":
        return _on_its_way(services.please(ask.device.pk, "self_test", by=ask.by))
    # Only a forced change leads out of there; a new device is tested by itself, within a second.
    reason = ask.reason or "returned to the pool"
    return _on_its_way(services.force_state(ask.device.pk, now_in, "new", by=ask.by, reason=reason))


def _comment(ask: Ask) -> Asked:
    text = ask.arguments["text"]
    if ask.arguments["mode"] == "append":
        there = Device.objects.select_for_update().values_list("comments", flat=True).get(pk=ask.device.pk)
        text = f"{there.rstrip()}\n{text}" if there and there.strip() else text
        if len(text) > LONGEST_COMMENTS:
            raise InvalidInputError(
                f"with what is there it would be {len(text)} characters, at most {LONGEST_COMMENTS} fit",
                field="text",
            )
    notes.set_comments(ask.device.pk, text, by=ask.by)
    return Asked(message="noted")


def _environment(ask: Ask) -> Asked:
    notes.set_environment(ask.device.pk, ask.arguments["environment"], by=ask.by)
    return Asked(message=f"serves {ask.arguments['environment']}")


def _image(name: str) -> Image:
    image = Image.objects.filter(name=name).first()
    if image is None:
        raise UnknownNameError(f"image {name} is gone", field="image")
    return image


def _state(device: Device) -> str:
    """Lock the device, and tell its state as it is."""
    return Device.objects.select_for_update().values_list("state", flat=True).get(pk=device.pk)


def _on_its_way(device: Device) -> Asked:
    work = Operation.objects.filter(device=device.pk, state_seq=device.state_seq, status__in=OPEN)
    number = work.order_by("-pk").values_list("pk", flat=True).first()
    return Asked(number, device.task_seq)


_TABLE = (
    Verb(
        "please_self_test", "Self-test",
        "Boots each device into its self-test. It is ready when it passes; whoever holds it loses it.",
        _please("self_test"), event="please_self_test", goal="ready",
    ),
    Verb(
        "please_power_cycle", "Power cycle",
        "Switches each device off and on, and checks that what is on it comes up.",
        _please("power_cycle"), event="please_power_cycle", goal="ready", new_task=True,
    ),
    Verb(
        "please_image", "Install an image",
        "Writes the image over what is on each device, and checks that it comes up.",
        _please("image"), takes.image, (takes.IMAGE, takes.IMAGE_VALUES),
        dangerous=True, event="please_image", goal="ready", new_task=True,
    ),
    Verb(
        "please_maintenance", "Maintenance",
        "Boots each device into the live image, where it waits for an administrator, out of the pool.",
        _please("start_maintenance"), event="please_start_maintenance", goal="maintenance_mode", new_task=True,
    ),
    Verb(
        "return_to_pool", "Return to the pool",
        "Tests each device; those that pass are ready for requests again.",
        _return_to_pool, goal="ready",
    ),
    Verb(
        "troubleshoot", "Troubleshoot",
        "Takes each device out of the pool for somebody to work on. Lifeguard stops what it is doing with it.",
        _troubleshoot, dangerous=True, needs_reason=True, keeps_reason=True,
    ),
    Verb(
        "lock_out", "Lock out",
        "Takes each device out of the pool and keeps Lifeguard's hands off it until it is returned. The reason stands "
        "on its page until it passes a self-test.",
        _lock_out, takes.bug, (takes.BUG,), dangerous=True, needs_reason=True, keeps_reason=True,
    ),
    Verb(
        "force_state", "Force state",
        "Puts each device into the state that you choose, whatever it is doing. One that has moved on is left alone.",
        _force_state, takes.state, (takes.STATE,),
        dangerous=True, needs_reason=True, keeps_reason=True,
    ),
    Verb(
        "comment", "Comment", "Notes something about each device.",
        _comment, takes.comment, (takes.COMMENT, takes.MODE), disturbs=False,
    ),
    Verb(
        "environment", "Environment", "Has each device serve another environment from now on.",
        _environment, takes.environment, (takes.ENVIRONMENT,), disturbs=False,
    ),
    Verb(
        "power_cycle", "Power cycle (hardware only)",
        "Switches each outlet off and on. Lifeguard is not told and nobody checks that the device comes up.",
        _power_cycle, takes.holders, holder_may=True,
    ),
    Verb(
        "pxe_boot", "Network boot",
        "Switches each outlet off and on, and has the device boot from the network with the boot config that you "
        "choose, which may write over what is on it. Lifeguard is not told.",
        _pxe_boot, takes.netboot, (takes.NETBOOT, takes.NETBOOT_VALUES), dangerous=True,
    ),
    Verb(
        "power_off", "Power off",
        "Takes the power away from each device until somebody cycles it. Lifeguard is not told.",
        _power_off, dangerous=True, needs_reason=True, keeps_reason=True,
    ),
    Verb(
        "clear_pxe", "Clear network boot", "Has each device boot from its own storage next.",
        _clear_pxe, disturbs=False,
    ),
    Verb("ping", "Ping", "Asks each device, from its rack, whether it answers ping.", _ping, disturbs=False),
)  # fmt: skip
VERBS: Mapping[str, Verb] = {verb.name: verb for verb in _TABLE}


def verb_named(name: str) -> Verb:
    """Give a verb of the table. Raises InvalidInputError naming those that there are."""
    verb = VERBS.get(name)
    if verb is None:
        known = ", ".join(VERBS)
        raise InvalidInputError(
            f"{name[:64]!r} is nothing that can be done to devices; there are: {known}", field="verb"
        )
    return verb
