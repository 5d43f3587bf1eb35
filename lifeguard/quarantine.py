"""Takes a device out of the pool because somebody found something wrong with it: reason, bug, author and time.

What a person says stands until the device passes a self-test or completes a task; nothing else takes it away.
"""

from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db.models import Q

from devices import journal
from devices.models import Device
from devices.models.device import Health
from lifeguard.machine import device_runner
from lifeguard.states import DEVICE
from mozpool_site.access import audit
from mozpool_site.errors import ConflictError, InvalidInputError
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

LONGEST = 300
_OUT = "locked_out"
_COLUMNS = ("health", "quarantine_reason", "quarantine_bug", "quarantine_by", "quarantine_since")
_is_url = URLValidator(schemes=["http", "https"])


def quarantined_through(lookup: str = "") -> Q:
    """Return the condition of devices that a person has quarantined; `lookup`, such as `device__`, leads to them."""
    return Q(**{f"{lookup}health": Health.BAD}) & ~Q(**{f"{lookup}quarantine_by": ""})


# As `is_quarantined` says.
QUARANTINED = quarantined_through()


def is_quarantined(health: str, quarantine_by: str) -> bool:
    """Whether a person has quarantined a device; what Lifeguard itself distrusts has failed, or is being tested."""
    return health == Health.BAD and quarantine_by != ""


def quarantine(device_id: int, *, reason: str, bug: str = "", by: Actor) -> Device:
    """Note why a device is not to be trusted, and lock it out unless it rests out of the pool already.

    `reason` has 1 to 300 characters, `bug` is empty or an http(s) URL of 300 at most: InvalidInputError else. Asked
    again, it replaces both. Raises the model's DoesNotExist.
    """
    return _quarantine(device_id, reason, bug, by, lambda device: "steady" not in DEVICE[device.state].tags)


def lock_out(device_id: int, *, reason: str, bug: str = "", by: Actor) -> Device:
    """Quarantine a device as `quarantine` does, and lock it out from whatever state it is in.

    Raises ConflictError for one that is locked out already: what was said of it then stands.
    """

    def leaves(device: Device) -> bool:
        if device.state == _OUT:
            raise ConflictError(f"{device.name} is {_OUT} already", field="state")
        return True

    return _quarantine(device_id, reason, bug, by, leaves)


def check_bug(bug: str) -> str:
    """Give a bug's address without spaces around it; empty is none. Raises InvalidInputError."""
    bug = bug.strip()
    _check_line("bug", bug)
    if bug:
        try:
            _is_url(bug)
        except ValidationError as error:
            raise InvalidInputError(
                "bug: an address such as https://bugs.example.com/4711 expected", field="bug"
            ) from error
    return bug


def _quarantine(device_id: int, reason: str, bug: str, by: Actor, leaves: Callable[[Device], bool]) -> Device:
    reason = reason.strip()
    if not reason:
        raise InvalidInputError("reason: what is wrong with the device?", field="reason")
    _check_line("reason", reason)
    bug = check_bug(bug)

    @retrying
    def transact() -> Device:
        device, now = device_runner.lock(device_id)
        left, old = device.state, (device.quarantine_reason, device.quarantine_bug)
        goes = leaves(device)
        device.health = Health.BAD
        device.quarantine_reason, device.quarantine_bug = reason, bug
        device.quarantine_by = by.name[:150]
        device.quarantine_since = now
        device.save(update_fields=_COLUMNS)
        if goes:
            device = device_runner.force(device, _OUT, now, by=by).row
        told = f"quarantined by {by.name}: {reason}" + (f" ({bug})" if bug else "")
        journal.append([journal.line(told, now, device_id=device.pk, by=by, event="quarantined")])
        audit.record_asked(
            "quarantine",
            "device",
            device.name,
            by=by,
            before={"state": left, "reason": old[0], "bug": old[1]},
            after={"state": device.state, "reason": reason, "bug": bug},
            request_id=device.held_by,
        )
        return device

    return transact()


def _check_line(name: str, text: str) -> None:
    if len(text) > LONGEST:
        raise InvalidInputError(f"{name}: at most {LONGEST} characters, got {len(text)}", field=name)
    if not text.isprintable():
        raise InvalidInputError(f"{name}: one line without control characters, please", field=name)
