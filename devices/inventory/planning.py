"""What a plan is made of and what it shows: devices that are new, changed or gone, and records that were refused."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devices.inventory.records import Record

# More devices than this, and more than one in so many of all: somebody has to say that it is meant.
FEW = 5
ONE_IN = 10
RETIRED = "locked_out"


@dataclass(frozen=True)
class StoredDevice:
    """A device as stored, as far as an inventory is concerned; `values` by the names of records.FIELDS."""

    pk: int
    values: Mapping[str, object]
    source: str = ""
    gone: bool = False
    state: str = "ready"
    held_by: int | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.values["name"])

    @property
    def retired(self) -> bool:
        """Whether an inventory no longer had it, and it is out of the pool."""
        return self.gone and self.state == RETIRED


@dataclass(frozen=True)
class Controller:
    """A power controller: its rack, and the driver that knows its outlets' names."""

    rack: str
    driver: str


def _any_outlet(driver: str, outlet: str) -> str | None:
    return None


@dataclass(frozen=True)
class Stored:
    """What is stored. `racks` have the addresses of their imaging servers.

    `check_outlet(driver, outlet)` gives what is wrong with an outlet's name, or nothing.
    """

    devices: tuple[StoredDevice, ...] = ()
    racks: Mapping[str, str] = field(default_factory=dict)
    hardware: frozenset[str] = frozenset()
    controllers: Mapping[str, Controller] = field(default_factory=dict)
    check_outlet: Callable[[str, str], str | None] = _any_outlet


@dataclass(frozen=True)
class Scope:
    """What a source answers for: some racks (none named: all), but for devices with these patterns of names.

    A source that is not `complete` lists some of its devices only: what it does not name is not gone. One that does not
    own what it lists leaves each device to the source that it came from.
    """

    source: str
    racks: frozenset[str] = frozenset()
    ignore: tuple[str, ...] = ()
    complete: bool = True
    owns: bool = True


@dataclass(frozen=True)
class Change:
    """A field that will have another value."""

    field: str
    old: object
    new: object


@dataclass(frozen=True)
class New:
    """A device to be entered; it starts in `new`."""

    name: str
    record: Record


@dataclass(frozen=True)
class Changed:
    """A device of which the source says something else. `returns`: it had been gone, and is tested anew."""

    pk: int
    name: str
    changes: tuple[Change, ...]
    returns: bool = False


@dataclass(frozen=True)
class Gone:
    """A device that the source no longer lists; one that is held is retired when it comes back.

    `frees_outlet`: another device hangs there now.
    """

    pk: int
    name: str
    held_by: int | None = None
    frees_outlet: bool = False


@dataclass(frozen=True)
class Refused:
    """A record that is not used, and why."""

    where: str
    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All that would happen; `notes` say what else one should know, `warnings` what will go wrong.

    `changed` is in an order that can be gone through: a name or outlet is given up before another device gets it.
    `adopted` are devices that people had entered, and that are this source's from now on; nothing of them changes.
    `owns`: so are those that are entered and changed.
    """

    source: str
    stored: int
    adopted: tuple[int, ...] = ()
    new: tuple[New, ...] = ()
    changed: tuple[Changed, ...] = ()
    gone: tuple[Gone, ...] = ()
    refused: tuple[Refused, ...] = ()
    ignored: tuple[str, ...] = ()
    unchanged: int = 0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    owns: bool = True

    @property
    def touched(self) -> int:
        """How many devices would be entered, changed or retired."""
        return len(self.new) + len(self.changed) + len(self.gone)

    @property
    def usable(self) -> bool:
        """Whether any record could be heeded; where none can, the source is wrong, and not the pool."""
        return not self.refused or bool(self.new or self.changed or self.unchanged)

    @property
    def too_much(self) -> bool:
        """Whether somebody has to say that so much is meant."""
        return self.touched > FEW and self.touched * ONE_IN > self.stored

    @property
    def digest(self) -> str:
        """A short mark of what the plan does: two plans that do the same have the same."""
        text = json.dumps([self.source, *(self.as_dict()[part] for part in ("new", "changed", "gone"))])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON knows it."""
        return {
            "source": self.source,
            "stored": self.stored,
            "unchanged": self.unchanged,
            "needs_ship_it": self.too_much,
            "new": [{"name": item.name, "values": dict(item.record.values)} for item in self.new],
            "changed": [
                {
                    "name": item.name,
                    "returns": item.returns,
                    "changes": {one.field: [one.old, one.new] for one in item.changes},
                }
                for item in self.changed
            ],
            "gone": [
                {"name": item.name, "held_by": item.held_by, "frees_outlet": item.frees_outlet}
                for item in self.gone
            ],
            "refused": [
                {"where": item.where, "name": item.name, "reasons": list(item.reasons)}
                for item in self.refused
            ],
            "ignored": list(self.ignored),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }
