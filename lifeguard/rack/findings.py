"""What a look at a rack found: what is well, what may become trouble, what must be mended."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from devices.inventory.planning import RETIRED
from devices.models import Device, Rack


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and what to do about it (empty where nothing needs doing)."""

    level: Level
    check: str
    found: str
    mend: str = ""


Findings = Iterator[Finding]


def ok(check: str, found: str) -> Finding:
    """Say that something is well."""
    return Finding(Level.OK, check, found)


def warn(check: str, found: str, mend: str) -> Finding:
    """Say what may become trouble."""
    return Finding(Level.WARN, check, found, mend)


def fail(check: str, found: str, mend: str) -> Finding:
    """Say what must be mended."""
    return Finding(Level.FAIL, check, found, mend)


@dataclass(frozen=True)
class Place:
    """The rack that is looked at, and its devices but for those that are retired.

    `here`: this host has the rack's address, so its TFTP folder is this one's. `tftp_port` is 69 but in a test lab.
    """

    rack: Rack
    here: bool
    tftp_port: int = 69
    devices: tuple[Device, ...] = field(default=())

    @classmethod
    def of(cls, rack: Rack, *, here: bool, tftp_port: int = 69) -> "Place":
        """Read a rack's devices."""
        rows = Device.objects.filter(rack=rack).exclude(state=RETIRED, gone_since__isnull=False)
        found = rows.select_related("rack", "hardware_type", "power_controller").order_by("name")
        return cls(rack, here, tftp_port, tuple(found))
