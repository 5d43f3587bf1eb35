"""Whether a device may serve, now or soon, and if not, why: the one vocabulary of reasons, for all who ask or tell."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import total_ordering

from lifeguard.states import DEVICE
from requests_app.planning.pool import DeviceSnapshot, Kind


class By(Enum):
    """Who ends what keeps a device from serving."""

    MOZPOOL = "Mozpool"
    HOLDER = "its holder"
    PERSON = "a person"


@total_ordering
class Reason(Enum):
    """What a device is to somebody who waits, the most hopeful first; of several that hold, the last one counts.

    `code` is what programs read, `one` and `many` how a sentence calls a device and several, `by` who ends it.
    """

    FREE = ("being_matched", "free", By.MOZPOOL)
    PREPARING = ("being_prepared", "being prepared", By.MOZPOOL)
    IN_USE = ("all_busy", "in use", By.HOLDER)
    CONTROLLER_SUSPECT = (
        "controller_suspect", "on a suspect power controller", By.MOZPOOL, "on suspect power controllers",
    )  # fmt: skip
    RACK_SILENT = ("rack_down", "in a rack that is down", By.PERSON, "in racks that are down")
    MAINTENANCE = ("device_in_maintenance", "in maintenance", By.PERSON)
    OUT_OF_ORDER = ("out_of_order", "out of order", By.PERSON)
    QUARANTINED = ("quarantined", "in quarantine", By.PERSON)
    LOCKED_OUT = ("locked_out", "locked out", By.PERSON)
    LEFT_INVENTORY = ("left_inventory", "no longer in the inventory", By.PERSON)

    def __init__(self, code: str, one: str, by: By, many: str = "") -> None:
        self.code, self.one, self.many, self.by = code, one, many or one, by

    def __lt__(self, other: "Reason") -> bool:
        return _ORDER[self] < _ORDER[other]

    @property
    def out_of_reach(self) -> bool:
        """Whether nothing is wrong with the device itself: who names it waits for it all the same."""
        return self in (Reason.CONTROLLER_SUSPECT, Reason.RACK_SILENT)


_ORDER = {reason: place for place, reason in enumerate(Reason)}
# What the state of a device says by itself, by the tag that the table gives it.
_BY_TAG = {
    "locked_out": Reason.LOCKED_OUT,
    "hands_on": Reason.MAINTENANCE,
    # Failed, or in a state that nobody knows: it rests until somebody sees to it.
    "steady": Reason.OUT_OF_ORDER,
}

# How many devices of each kind are what.
Stock = Mapping[Kind, Counter[Reason]]


@dataclass(frozen=True)
class Availability:
    """Whether a device serves: all that keeps it from that, each with the moment when that ends, where known."""

    obstacles: tuple[tuple[Reason, datetime | None], ...]

    @property
    def now(self) -> bool:
        """Whether it serves whoever comes."""
        return not self.obstacles

    @property
    def by_name(self) -> bool:
        """Whether it serves who names it, and waits where it is out of reach."""
        return all(reason.out_of_reach for reason, _ in self.obstacles)

    @property
    def needs_person(self) -> bool:
        """Whether it never serves unless somebody does something about it."""
        return any(reason.by is By.PERSON for reason, _ in self.obstacles)

    @property
    def reason(self) -> Reason:
        """What to tell of it."""
        return max((reason for reason, _ in self.obstacles), default=Reason.FREE)

    @property
    def reason_ends(self) -> datetime | None:
        """The moment when that is over, where known; something else may keep the device for longer."""
        return dict(self.obstacles).get(self.reason)

    @property
    def until(self) -> datetime | None:
        """The moment from which nothing keeps it any more, where that is known; its holder may give it back before."""
        ends = [end for _, end in self.obstacles if end is not None]
        return max(ends) if ends and len(ends) == len(self.obstacles) else None


def availability(device: DeviceSnapshot, now: datetime) -> Availability:
    """Return whether a device serves, and if not, why."""
    return Availability(tuple(_obstacles(device, now)))


def _obstacles(device: DeviceSnapshot, now: datetime) -> Iterator[tuple[Reason, datetime | None]]:
    tags = DEVICE[device.state].tags
    if "serving" not in tags:
        yield next((reason for tag, reason in _BY_TAG.items() if tag in tags), Reason.PREPARING), None
    elif device.quarantined:
        # From any other state the way back leads through what ends the quarantine, too.
        yield Reason.QUARANTINED, None
    if device.held:
        yield Reason.IN_USE, device.held_until
    if device.suspect_until is not None and device.suspect_until > now:
        yield Reason.CONTROLLER_SUSPECT, device.suspect_until
    if device.rack_silent:
        yield Reason.RACK_SILENT, None
    if device.gone:
        yield Reason.LEFT_INVENTORY, None
