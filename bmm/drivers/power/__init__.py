"""The power drivers by name.

Some need a library that is not installed everywhere; those are imported when somebody asks for them. A package of
one's own adds drivers by an entry point of the group `mozpool.power_drivers` whose name is the driver's and whose
object is a PowerDriver class.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from bmm.drivers.guard import guarded
from bmm.drivers.power.base import PowerDriver
from bmm.drivers.power.command import CommandDriver
from bmm.drivers.power.ipmi import IpmiDriver
from bmm.drivers.power.libvirt import LibvirtDriver
from bmm.drivers.power.manual import ManualDriver
from bmm.drivers.power.pdudaemon import PduDaemonDriver
from bmm.drivers.power.plugs import Shelly2Driver, ShellyDriver, TasmotaDriver
from bmm.drivers.power.proxr import ProXRDriver
from bmm.drivers.power.webhook import WebhookDriver
from bmm.errors import Misconfigured

__all__ = ["DRIVERS", "PowerDriver", "driver_class", "driver_names", "make_driver"]

ENTRY_POINTS = "mozpool.power_drivers"

DRIVERS: Mapping[str, type[PowerDriver]] = {
    "command": CommandDriver,
    "ipmi": IpmiDriver,
    "libvirt": LibvirtDriver,
    "manual": ManualDriver,
    "pdudaemon": PduDaemonDriver,
    "proxr": ProXRDriver,
    "shelly": ShellyDriver,
    "shelly2": Shelly2Driver,
    "tasmota": TasmotaDriver,
    "webhook": WebhookDriver,
}


@dataclass(frozen=True)
class Later:
    """A driver that needs a library: where it is, and what to install."""

    module: str
    name: str
    package: str


_SNMP = ("bmm.drivers.power.snmp_kinds", "pysnmp")

# A dictionary of its own, so that nobody imports what is not there. All of it: pip install -r requirements-power.txt
LATER: Mapping[str, Later] = {
    "qemu": Later("bmm.drivers.power.qemu", "QemuDriver", "qemu.qmp"),
    "redfish": Later("bmm.drivers.power.redfish", "RedfishDriver", "sushy"),
    "snmp": Later(_SNMP[0], "GenericSnmpDriver", _SNMP[1]),
    "snmp-apc": Later(_SNMP[0], "ApcDriver", _SNMP[1]),
    "snmp-apc-masterswitch": Later(_SNMP[0], "ApcMasterSwitchDriver", _SNMP[1]),
    "snmp-eaton": Later(_SNMP[0], "EatonDriver", _SNMP[1]),
    "snmp-poe": Later(_SNMP[0], "PoeDriver", _SNMP[1]),
    "snmp-raritan": Later(_SNMP[0], "RaritanDriver", _SNMP[1]),
}


def driver_names() -> list[str]:
    """Give the names of all drivers, sorted; one of them may lack its library."""
    return sorted({*DRIVERS, *LATER, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def driver_class(name: str) -> type[PowerDriver]:
    """Give the driver of that name; an unknown or broken one, or one without its library, raises Misconfigured.

    Ours win over others'.
    """
    if name in DRIVERS:
        return DRIVERS[name]
    if name in LATER:
        return _import(name, LATER[name])
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return _load(point)
    raise Misconfigured(f"unknown power driver {name!r}; known are: {', '.join(driver_names())}")


def make_driver(name: str, address: str, settings: Mapping[str, object] | None = None) -> PowerDriver:
    """Build a driver for one controller without touching it; raises Misconfigured for a name or a setting."""
    kind = driver_class(name)
    with guarded(f"power driver {name!r} and its settings", Misconfigured):
        return kind(address, settings)


def _import(name: str, later: Later) -> type[PowerDriver]:
    try:
        found: type[PowerDriver] = getattr(importlib.import_module(later.module), later.name)
    except Exception as error:
        raise Misconfigured(
            f"power driver {name!r} needs the package {later.package}: pip install -r requirements-power.txt ({error})"
        ) from error
    return found


def _load(point: EntryPoint) -> type[PowerDriver]:
    try:
        found = point.load()
    except Exception as error:
        raise Misconfigured(
            f"power driver {point.name!r}: {point.value} cannot be loaded: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, PowerDriver)):
        raise Misconfigured(f"power driver {point.name!r}: {point.value} is no PowerDriver class")
    return found
