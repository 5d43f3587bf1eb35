"""What a booting device tells of itself in plain text: lines for its journal, few enough to read."""

import re
from datetime import datetime, timedelta

from devices import journal
from devices.models import Device, Journal
from mozpool_site import clock
from mozpool_site.errors import InvalidInputError, TooManyError
from mozpool_site.statemachine.runner import Actor

EVENT = "log"
# An install with progress takes about thirty lines, a self-test ten.
LINES_A_MINUTE = 120
_MOST_AT_ONCE = 50
_MINUTE = timedelta(minutes=1)
_URL = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^\s/?#@]*@)*([^\s/?#@]*)([^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE)


def take(device: Device, message: object) -> int:
    """Journal a device's text, a line for each of its lines; give how many there were.

    Of a URL host and file name are kept: many may read it, and the rest may be a secret. Control characters become
    question marks, long lines are cut. Raises InvalidInputError for what is no text, or has no line or more than 50;
    TooManyError once the device has told 120 lines within a minute.
    """
    lines = _lines_of(message)
    now = clock.now()
    _demand_room(device, len(lines), now)
    by = Actor(device.name, "api")
    journal.append([journal.line(text, now, device_id=device.pk, by=by, event=EVENT) for text in lines])
    return len(lines)


def _lines_of(message: object) -> list[str]:
    if not isinstance(message, str):
        raise InvalidInputError("a text expected", field="message")
    lines = [_plain(line) for line in message.splitlines()]
    lines = [line for line in lines if line]
    if not 1 <= len(lines) <= _MOST_AT_ONCE:
        raise InvalidInputError(f"1 to {_MOST_AT_ONCE} lines expected, got {len(lines)}", field="message")
    return lines


def _plain(line: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in line.strip())
    return _URL.sub(_without_secrets, printable)


def _without_secrets(url: re.Match[str]) -> str:
    scheme, host, path = url.groups()
    folders, slash, name = path.rpartition("/")
    return f"{scheme}{host}{'/...' if folders else ''}{slash}{name}"


def _demand_room(device: Device, more: int, now: datetime) -> None:
    """Count what the device has told lately; calls at the very same moment may together exceed it a little."""
    recent = Journal.objects.filter(device_id=device.pk, time__gt=now - _MINUTE, event=EVENT)
    if recent.count() + more > LINES_A_MINUTE:
        raise TooManyError(
            f"{device.name} has told its {LINES_A_MINUTE} lines of this minute",
            field="message",
            retry_after=60,
        )
