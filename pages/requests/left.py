"""The time that a request has left: how urgent it is to renew it, and for how long one may."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

# Seconds left below which a colour warns, and below which it is urgent; requests.js knows the same.
SOON, NOW = 30 * 60, 5 * 60
_RENEWALS = ((3600, "1 hour"), (4 * 3600, "4 hours"), (24 * 3600, "1 day"))


@dataclass(frozen=True)
class Preset:
    """A renewal by one click."""

    seconds: int
    label: str


def presets(left: float = 0) -> list[Preset]:
    """Give the renewals that are allowed; none that would leave less than the seconds that are left."""
    longest = settings.MOZPOOL_MAX_DURATION
    return [Preset(seconds, label) for seconds, label in _RENEWALS if left < seconds <= longest]


def urgency_of(entry: Mapping[str, Any]) -> str:
    """Give the class of the time that a request has left: `left-now`, `left-soon`, or nothing."""
    if entry["expires"] is None:
        return ""  # its time has not begun
    left = entry["seconds_left"]
    return "left-now" if left < NOW else "left-soon" if left < SOON else ""
