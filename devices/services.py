"""What people change of a device by hand: what was noted about it, and the environment that it serves."""

from devices import journal
from devices.models import Device
from devices.names import ANY, SLUG
from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.errors import InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying

LONGEST_COMMENTS = 10_000
# The old and the new text share a line of the journal.
_SHOWN = 200


def set_comments(device_id: int, comments: str, *, by: Actor) -> None:
    """Store what is noted about a device, verbatim. Raises InvalidInputError where it is too long."""
    if len(comments) > LONGEST_COMMENTS:
        raise InvalidInputError(
            f"comments: at most {LONGEST_COMMENTS} characters, got {len(comments)}", field="comments"
        )
    _change(device_id, "comments", comments, by)


def set_environment(device_id: int, environment: str, *, by: Actor) -> None:
    """Let a device serve another environment; whoever holds it keeps it. Raises InvalidInputError for no name.

    A request that waits for a device of that environment is matched by the pulse, within seconds.
    """
    if environment == ANY or not SLUG.fullmatch(environment):
        raise InvalidInputError(
            f"environment: letters, digits, dots, hyphens and underscores, 64 at most, and not {ANY!r}",
            field="environment",
        )
    _change(device_id, "environment", environment, by)


@retrying
def _change(device_id: int, column: str, value: str, by: Actor) -> None:
    device = Device.objects.select_for_update().filter(pk=device_id).first()
    if device is None:
        raise UnknownNameError(f"there is no device {device_id}", field="device")
    old = getattr(device, column) or ""
    if old == value:
        return
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
