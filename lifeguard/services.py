"""What people, programs and the layers above ask of Lifeguard."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings

from bmm import netboot
from devices import journal
from devices.models import Device, Image
from lifeguard.boot_events import BOOT_EVENTS, canonical_event
from lifeguard.machine import device_runner
from lifeguard.states import DEVICE, PLEASE_EVENTS
from mozpool_site.access import audit
from mozpool_site.errors import ConflictError, InvalidInputError, NotAllowedError
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor, Delivery
from mozpool_site.transactions import retrying


def please(
    device_id: int, verb: str, *, by: Actor, image: Image | None = None, boot_config: str = "{}"
) -> Device:
    """Ask for `self_test`, `start_maintenance`, `power_cycle` or `image`; give the device as it is then.

    Raises ConflictError, naming the state, where the device can't be asked for that now, and
    InvalidInputError where the image has no boot config for this hardware.
    """

    @retrying
    def transact() -> Device:
        device, now = device_runner.lock(device_id)
        if image is not None:
            check_image_fits(device, image)
        return please_locked(device, verb, now, by=by, image=image, boot_config=boot_config)

    return transact()


def please_locked(
    device: Device,
    verb: str,
    now: datetime,
    *,
    by: Actor,
    image: Image | None = None,
    boot_config: str = "{}",
    changed: Sequence[str] = (),
) -> Device:
    """Ask as `please` does, of a row that the open transaction has locked; columns `changed` before are saved with it.

    The caller knows that the image fits; one that doesn't ends in `failed_pxe_booting`.
    """
    name = f"please_{verb}"
    if name not in PLEASE_EVENTS:
        raise InvalidInputError(f"{verb!r} is nothing that a device can be asked for", field="event")
    arguments: Mapping[str, object] = {}
    if verb == "image":
        if image is None:
            raise InvalidInputError("an image is needed", field="image")
        arguments = {"image": image, "boot_config": boot_config}
    state = device.state
    delivery = device_runner.deliver_locked(device, Event(name, arguments), now, by=by, changed=changed)
    if not delivery.moved:
        raise ConflictError(f"{device.name} is in state {state}, which does not allow {name}", field="state")
    audit.record_asked(
        name,
        "device",
        device.name,
        by=by,
        before={"state": state},
        after={"state": delivery.row.state} | ({"image": image.name} if image else {}),
        request_id=delivery.row.held_by,
    )
    return delivery.row


def force_state(device_id: int, old: str, new: str, *, by: Actor, reason: str = "") -> Device:
    """Put a device into a state whatever the table says, provided that it is in `old`, or in `unknown`.

    Raises InvalidInputError for a state that can't be rested in, ConflictError when the device is elsewhere.
    """
    if new not in DEVICE.stored():
        raise InvalidInputError(
            f"{new!r} is no state; there are: {', '.join(DEVICE.stored())}", field="state"
        )

    @retrying
    def transact() -> Device:
        device, now = device_runner.lock(device_id)
        if device.state not in (old, "unknown"):
            raise ConflictError(f"{device.name} is in state {device.state}, not {old}", field="state")
        left = device.state
        delivery = device_runner.force(device, new, now, by=by)
        why = f": {reason}" if reason else ""
        message = f"forced from {old} to {new} by {by.name}{why}"
        journal.append([journal.line(message, now, device_id=device.pk, by=by, event="forced")])
        audit.record_asked(
            "force_state",
            "device",
            device.name,
            by=by,
            before={"state": left},
            after={"state": new, "reason": reason},
            request_id=delivery.row.held_by,
        )
        return delivery.row

    return transact()


def boot_event(device: Device, name: str, *, token: str | None, by: Actor) -> Delivery[Device]:
    """Deliver what a booting device says of itself.

    With a `token` it counts only during the boot that the token was made for (NotAllowedError else).
    An event that the present state does not list is journalled and ignored. Results of operations and
    other events have no door here: InvalidInputError.
    """
    event = canonical_event(name)
    if event not in BOOT_EVENTS:
        raise InvalidInputError(f"{name!r} is no event that a device may send", field="event")
    fence: dict[str, object] = {}
    if token is not None:
        check_token(device, token)
        fence = {"boot_seq": device.boot_seq}
    delivery = device_runner.deliver(device.pk, Event(event, {"name": name}), fence=fence, by=by)
    if delivery.refused:
        raise NotAllowedError(f"this boot of {device.name} is over", field="token")
    return delivery


def check_token(device: Device, token: str) -> None:
    """Raise NotAllowedError unless the token belongs to the device's present boot."""
    if not netboot.token_matches(settings.MOZPOOL_BOOT_KEYS, device.name, device.boot_seq, token):
        raise NotAllowedError(f"the token is not that of the present boot of {device.name}", field="token")


def note_foreign_event(device: Device, name: str, now: datetime, *, by: Actor) -> None:
    """Journal an event that nobody may send, as old clients expect an answer of 200 for it."""
    device_runner.note(device, Event(name[:64]), f"ignored event {name} in state {device.state}", now, by)


def check_image_fits(device: Device, image: Image) -> None:
    """Raise InvalidInputError unless the image has an active boot config for the device's hardware."""
    if device.hardware_type_id not in image.installers:
        raise InvalidInputError(
            f"image {image.name} has no boot config for {device.hardware_type}, the hardware of {device.name}",
            field="image",
        )
