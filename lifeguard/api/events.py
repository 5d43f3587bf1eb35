"""What a device may say of itself, whichever door it comes through."""

import re

from devices.models import Device
from lifeguard import services
from lifeguard.boot_events import BOOT_EVENTS, canonical_event
from mozpool_site import clock
from mozpool_site.errors import InvalidInputError
from mozpool_site.statemachine.runner import Actor

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def hear(device: Device, name: str, *, token: str | None, by: Actor) -> None:
    """Deliver an event of a booting device; one that no device may send is only journalled, as ignored.

    Results of operations and requests to a device (`power_cycle_ok`, `please_image`) are such. Raises
    InvalidInputError for what is no name of an event, NotAllowedError for a token of another boot.
    """
    check_name(name)
    if canonical_event(name) in BOOT_EVENTS:
        services.boot_event(device, name, token=token, by=by)
        return
    if token is not None:
        services.check_token(device, token)
    services.note_foreign_event(device, name, clock.now(), by=by)


def check_name(name: str) -> None:
    """Raise InvalidInputError for what can't be the name of an event."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            "a name of letters, digits, dots, hyphens and underscores expected", field="event"
        )
