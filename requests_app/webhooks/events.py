"""Names of the events, and the patterns by which a webhook chooses among them.

An event is `request.` or `device.` and the state that was entered. All failures share one name: which it was is in the
body.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from lifeguard.states import DEVICE
from mozpool_site.errors import InvalidInputError
from mozpool_site.statemachine.spec import Spec
from requests_app.states import REQUEST

# What is sent when somebody asks for it; no pattern is needed to receive it.
PING = "ping"
# What a webhook of one request hears: everything about it.
ALL_OF_A_REQUEST = ("request.*",)
MOST_PATTERNS = 50
_PATTERN = re.compile(r"[a-z_.*]{1,64}")


def event_name(spec: Spec, state: str) -> str:
    """Name the event that a request or a device has entered a state."""
    what = "failed" if state in spec.tagged("failed") else state
    return f"{spec.name}.{what}"


EVENTS = tuple(
    dict.fromkeys(event_name(spec, state) for spec in (REQUEST, DEVICE) for state in spec.stored())
)


def matches(patterns: Iterable[str], event: str) -> bool:
    """Whether any of the patterns chooses the event; `*` stands for any characters."""
    return any(fnmatchcase(event, pattern) for pattern in patterns)


def check_patterns(value: object) -> list[str]:
    """Give the patterns, each once. Raises InvalidInputError unless each chooses at least one event that there is."""
    if not isinstance(value, list) or not value or len(value) > MOST_PATTERNS:
        raise InvalidInputError(
            f'events: a list of 1 to {MOST_PATTERNS} patterns expected, such as ["request.*", "device.failed"]',
            field="events",
        )
    for pattern in value:
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
            raise InvalidInputError(
                "events: small letters, _, . and * expected in a pattern, 64 at most", field="events"
            )
        if not any(fnmatchcase(event, pattern) for event in EVENTS):
            raise InvalidInputError(
                f"events: {pattern} matches no event; there are {', '.join(EVENTS)}", field="events"
            )
    return list(dict.fromkeys(value))
