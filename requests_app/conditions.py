"""What devices are to somebody who waits: which conditions there are, and how many of each kind are in each."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from lifeguard.states import DEVICE
from requests_app.planning.pool import Kind

_FAILED = frozenset(DEVICE.tagged("failed"))
_HANDS_OFF = frozenset({"maintenance_mode", "troubleshooting", "unknown"})


class Condition(StrEnum):
    """What a device is to somebody who waits; each value is how a sentence calls it."""

    FREE = "free"
    IN_USE = "in use"
    PREPARING = "being prepared"
    RACK_DOWN = "in racks that are down"
    MAINTENANCE = "in maintenance"
    FAILED = "out of order"
    LOCKED_OUT = "locked out"


# Those that serve somebody sooner or later without a human.
AT_WORK = (Condition.FREE, Condition.PREPARING, Condition.IN_USE)
Stock = Mapping[Kind, Counter[Condition]]


def condition(state: str, *, held: bool, rack_down: bool) -> Condition:
    """Say what a device in a state is to somebody who waits."""
    if state == "locked_out":
        return Condition.LOCKED_OUT
    if state in _FAILED:
        return Condition.FAILED
    if rack_down:
        return Condition.RACK_DOWN
    if held:
        return Condition.IN_USE
    if state in _HANDS_OFF:
        return Condition.MAINTENANCE
    return Condition.FREE if state == "ready" else Condition.PREPARING
