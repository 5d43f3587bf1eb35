"""Racks as small maps: thousands of cells on a page, so they are written by hand rather than by a template."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from devices.models import Rack
from pages.families import FAMILIES, Family, device_title
from pages.racks.places import Cell, in_place


@dataclass(frozen=True)
class RackMap:
    """A rack with its devices in their places. `silent`: its pulse has not looked for a while."""

    rack: Rack
    cells: tuple[Cell, ...]
    silent: bool

    @property
    def counts(self) -> list[tuple[Family, int]]:
        """How many devices each family has, those that have any."""
        return counts_of(self.cells)

    @property
    def summary(self) -> str:
        """The counts in words, for those who don't see the map."""
        told = ", ".join(f"{number} {family.label.lower()}" for family, number in self.counts)
        return told or "no devices"

    @property
    def dots(self) -> SafeString:
        """The cells as marks that are looked at, not clicked."""
        return mark_safe("".join(map(_dot, self.cells)))  # noqa: S308 - _dot escapes

    @property
    def links(self) -> SafeString:
        """The cells as links to their devices."""
        return mark_safe("".join(map(_link, self.cells)))  # noqa: S308 - _link escapes


def maps(racks: Iterable[Rack], cells: Iterable[Cell], down: frozenset[int]) -> list[RackMap]:
    """Sort cells into their racks."""
    by_rack: dict[int, list[Cell]] = {}
    for cell in cells:
        by_rack.setdefault(cell.rack_id, []).append(cell)
    return [RackMap(rack, tuple(in_place(by_rack.get(rack.pk, ()))), rack.pk in down) for rack in racks]


def counts_of(cells: Iterable[Cell]) -> list[tuple[Family, int]]:
    """Count cells by family, in the order of the legend; families without any are left out."""
    found = Counter(cell.family.name for cell in cells)
    return [(family, found[name]) for name, family in FAMILIES.items() if found[name]]


def legend(cells: Iterable[Cell]) -> list[tuple[Family, int]]:
    """Count cells by family, all families."""
    found: Mapping[str, int] = Counter(cell.family.name for cell in cells)
    return [(family, found.get(name, 0)) for name, family in FAMILIES.items()]


def _dot(cell: Cell) -> str:
    return f'<i data-device="{escape(cell.name)}" data-family="{cell.family.name}"></i>'


def _link(cell: Cell) -> str:
    name, told = escape(cell.name), escape(device_title(cell.name, cell.state, cell.held_by))
    return (
        f'<a href="/devices/{name}/" data-device="{name}" data-family="{cell.family.name}" aria-label="{told}"'
        f' data-since="{cell.since.isoformat(timespec="seconds")}"></a>'
    )
