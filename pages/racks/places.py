"""Where devices are: in which outlet of which controller, in the order that people count them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pages.families import Family, family_of

_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Cell:
    """A device at its place. `controller` is empty for one that is plugged into none that we know."""

    name: str
    state: str
    held_by: int | None
    since: datetime
    rack_id: int
    controller: str
    outlet: str

    @property
    def family(self) -> Family:
        """The family of its state."""
        return family_of(self.state, held=self.held_by is not None)

    @property
    def place(self) -> tuple[object, ...]:
        """Sorts by controller, then by outlet; devices without either come last, by name."""
        return (not self.controller, counted(self.controller), counted(self.outlet), counted(self.name))


def counted(text: str) -> tuple[tuple[int, str], ...]:
    """Give a key that sorts `relay10` after `relay9`."""
    parts = _NUMBERS.split(text)
    return tuple((int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts))


def in_place(cells: Iterable[Cell]) -> list[Cell]:
    """Sort cells by their places."""
    return sorted(cells, key=lambda cell: cell.place)
