"""The power drivers by name.

A package of one's own adds to them by an entry point of the group `mozpool.power_drivers` whose name is the
driver's and whose object is a PowerDriver class.
"""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from bmm.drivers.power.base import PowerDriver
from bmm.drivers.power.proxr import ProXRDriver
from bmm.errors import Misconfigured

__all__ = ["DRIVERS", "PowerDriver", "driver_class", "driver_names", "make_driver"]

ENTRY_POINTS = "mozpool.power_drivers"

DRIVERS: Mapping[str, type[PowerDriver]] = {
    "proxr": ProXRDriver,
}


def driver_names() -> list[str]:
    """Give the names of all drivers that can be used here, sorted."""
    return sorted({*DRIVERS, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def driver_class(name: str) -> type[PowerDriver]:
    """Give the driver of that name; an unknown or broken one raises Misconfigured. Ours win over others'."""
    if name in DRIVERS:
        return DRIVERS[name]
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return _load(point)
    raise Misconfigured(f"unknown power driver {name!r}; known are: {', '.join(driver_names())}")


def make_driver(name: str, address: str, settings: Mapping[str, object] | None = None) -> PowerDriver:
    """Build a driver for one controller without touching it; raises Misconfigured for a name or a setting."""
    return driver_class(name)(address, settings)


def _load(point: EntryPoint) -> type[PowerDriver]:
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise Misconfigured(
            f"power driver {point.name!r}: {point.value} cannot be loaded: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, PowerDriver)):
        raise Misconfigured(f"power driver {point.name!r}: {point.value} is no PowerDriver class")
    return found
