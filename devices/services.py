"""What people change of a device by hand: what was noted about it, and the environment that it serves."""

import hashlib

from devices import journal
from devices.models import Device
from devices.names import ANY, SLUG
from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

LONGEST_COMMENTS = 10_000
CHANGED_MEANWHILE = (
    "somebody else has changed what is noted here since you opened it; copy your text, load the page again, "
    "and add it to theirs"
)
# Whoever holds a device asked for it by these, and knows it by them: they stay until it is given back.
OF_THE_HOLDER = frozenset({"name", "environment"})
# The old and the new text share a line of the journal.
_SHOWN = 200


def comments_digest(comments: str | None) -> str:
    """Return a word for what is noted about a device, by which a form tells later what it began with."""
    return hashlib.sha256((comments or "").encode()).hexdigest()[:20]


def set_comments(device_id: int, comments: str, *, by: Actor, seen: str | None = None) -> None:
    """Store what is noted about a device, verbatim. Raises InvalidInputError where it is too long.

    `seen` is the digest of what its author saw: ConflictError where somebody has noted something else since. Without
    it the last one wins.
    """
    if len(comments) > LONGEST_COMMENTS:
        raise InvalidInputError(
            f"comments: at most {LONGEST_COMMENTS} characters, got {len(comments)}", field="comments"
        )
    _change(device_id, "comments", comments, by, seen=seen)


def set_environment(device_id: int, environment: str, *, by: Actor) -> None:
    """Let a device serve another environment. Raises InvalidInputError for no name, ConflictError while it is held.

    A request that waits for a device of that environment is matched by the pulse, within seconds.
    """
    if environment == ANY or not SLUG.fullmatch(environment):
        raise InvalidInputError(
            f"environment: letters, digits, dots, hyphens and underscores, 64 at most, and not {ANY!r}",
            field="environment",
        )
    _change(device_id, "environment", environment, by)


def why_kept(held_by: int | None, field: str) -> str:
    """Say why a field of a device that a request may hold stays as it is; nothing where it may change."""
    if held_by is None or field not in OF_THE_HOLDER:
        return ""
    return f"request {held_by} has the device, and asked for it as it is: return it first"


@retrying
def _change(device_id: int, column: str, value: str, by: Actor, *, seen: str | None = None) -> None:
    device = Device.objects.select_for_update().filter(pk=device_id).first()
    if device is None:
        raise UnknownNameError(f"there is no device {device_id}", field="device")
    old = getattr(device, column) or ""
    if old == value:
        return
    if seen is not None and seen != comments_digest(old):
        raise ConflictError(f"{column}: {CHANGED_MEANWHILE}", field=column)
    if kept := why_kept(device.held_by, column):
        raise ConflictError(f"{column}: {kept}", field=column)
    setattr(device, column, value)
    device.save(update_fields=[column])
    message = f"{column} changed from {_shown(old)} to {_shown(value)}"
    line = journal.line(message, clock.now(), device_id=device_id, by=by, event=f"set_{column}")
    journal.append([line])
    audit.record_asked(
        f"set_{column}",
        "device",
        device.name,
        by=by,
        before={column: old},
        after={column: value},
        request_id=device.held_by,
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
