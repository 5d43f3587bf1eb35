"""Which devices a form means: those that it names, or all that match a filter, told apart from what was seen before."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from devices.models import Device
from lifeguard.bulk.services import MOST_DEVICES
from lifeguard.states import DEVICE
from mozpool_site.errors import InvalidInputError
from pages.devices.filters import EVERYTHING, Filters
from pages.families import FAMILIES, Family, family_of

_COLUMNS = ("name", "state", "held_by", "power_controller_id")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Selection:
    """Some devices, by name, with what the page that confirms says of them. `matching` is the filter that gave them.

    `unknown` are names that were chosen and that no device has (any more).
    """

    rows: tuple[Row, ...]
    matching: str = ""
    filters: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=())

    @property
    def names(self) -> list[str]:
        """The devices' names, in order."""
        return [row["name"] for row in self.rows]

    @property
    def listed(self) -> str:
        """The names as a form sends them again; empty for a filter, which is sent itself."""
        return "" if self.matching else " ".join(self.names)

    @property
    def digest(self) -> str:
        """A word for exactly these devices, so that nobody confirms more than was seen."""
        return hashlib.sha256(" ".join(self.names).encode()).hexdigest()[:20]

    @property
    def states(self) -> list[str]:
        """The states that they are in, each once."""
        return sorted({row["state"] for row in self.rows})

    @property
    def families(self) -> list[tuple[Family, int]]:
        """How many are in each family of states, in the families' order."""
        counted = Counter(family_of(row["state"], held=row["held_by"] is not None).name for row in self.rows)
        return [(one, counted[one.name]) for one in FAMILIES.values() if counted[one.name]]

    @property
    def requests(self) -> list[int]:
        """The requests that hold some of them."""
        return sorted(row["held_by"] for row in self.rows if row["held_by"] is not None)

    @property
    def without_outlet(self) -> list[str]:
        """Those that have no power outlet that we know."""
        return [row["name"] for row in self.rows if row["power_controller_id"] is None]

    def unwilling(self, event: str) -> list[tuple[str, int]]:
        """Say how many are in each state in which the table does not take an event: they will refuse, as it stands."""
        counted = Counter(row["state"] for row in self.rows)
        return [(state, number) for state, number in sorted(counted.items()) if event not in DEVICE[state].on]


def selected(form: QueryDict) -> Selection:
    """Read a selection: `all` with the filter `matching`, else each `device` and the list `devices`.

    Raises InvalidInputError for none, and for more than 10,000.
    """
    if form.get("all") and "matching" in form:
        return _matching(form.get("matching", ""))
    names = [*form.getlist("device"), *form.get("devices", "").replace(",", " ").split()]
    return named(names)


def named(names: Iterable[str]) -> Selection:
    """Select the devices that there are of these names. Raises InvalidInputError as `selected` does."""
    wanted = dict.fromkeys(name for name in names if name)
    _demand_some(len(wanted))
    rows = {row["name"]: row for row in _rows(Device.objects.filter(name__in=list(wanted)))}
    found = tuple(rows[name] for name in sorted(wanted) if name in rows)
    unknown = tuple(name for name in wanted if name not in rows)
    if not found:
        raise InvalidInputError(f"there is no device {unknown[0][:63]!r}", field="device")
    return Selection(found, unknown=unknown)


def _matching(query: str) -> Selection:
    asked = QueryDict(query)
    filters = Filters.of(asked)
    for name in asked:
        if name not in (*filters.names, EVERYTHING):
            # Passed over, it would widen what is met.
            raise InvalidInputError(f"{name[:64]!r} is no filter of devices", field="matching")
    devices = filters.apply(Device.objects.all())
    rows = tuple(_rows(devices)[: MOST_DEVICES + 1])
    _demand_some(len(rows))
    return Selection(rows, filters.query or EVERYTHING, tuple(filters.described))


def _rows(devices: QuerySet[Device]) -> Any:
    return devices.order_by("name").values(*_COLUMNS)


def _demand_some(number: int) -> None:
    if not number:
        raise InvalidInputError("no device is selected: tick some, then choose what to do", field="device")
    if number > MOST_DEVICES:
        raise InvalidInputError(f"at most {MOST_DEVICES} devices at once; narrow them down", field="device")
