"""The kinds of switches that SNMP reaches: which variable switches an outlet, which one tells, and their values.

An outlet's number is the last part of the variable's name; before it some have the number of the unit in a chain.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from bmm.deadline import Deadline
from bmm.drivers.power.snmp import LOGIN, SnmpSwitch
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, Misconfigured

_OID = re.compile(r"\.?[0-2](\.\d{1,10}){3,60}", re.ASCII)


@dataclass(frozen=True)
class Variables:
    """What is written to switch on and off, and what is read; `unit` goes before an outlet that names none."""

    on: tuple[str, int]
    off: tuple[str, int]
    state: str
    reads_on: frozenset[int]
    reads_off: frozenset[int]
    unit: str = ""


class KnownSwitch(SnmpSwitch):
    """A switch whose variables we know."""

    outlet_pattern = re.compile(r"[1-9]\d{0,2}", re.ASCII)
    outlet_grammar = "an outlet's number, from 1"
    variables: Variables

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Write the variable that switches."""
        oid, value = self.variables.on if on else self.variables.off
        self.store(self._of(oid, outlet), value, deadline)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Read the variable that tells."""
        oid = self._of(self.variables.state, outlet)
        found = self.fetch(oid, deadline)
        if found in self.variables.reads_on:
            return True
        if found in self.variables.reads_off:
            return False
        raise Garbled(f"{self.address}: {oid} is {found}, which is neither on nor off")

    def _of(self, oid: str, outlet: str) -> str:
        self.check_outlet(outlet)
        unit = self.variables.unit
        return f"{oid}.{outlet if '.' in outlet or not unit else f'{unit}.{outlet}'}"


class _UnitSwitch(KnownSwitch):
    outlet_pattern = re.compile(r"(?:\d{1,3}\.)?[1-9]\d{0,2}", re.ASCII)
    outlet_grammar = "an outlet's number, or unit.number in a chain"


def _one(oid: str, on: int, off: int, state: str = "", reads_on: int = -1, reads_off: int = -1) -> Variables:
    """Describe a switch with one variable for on and off, and perhaps another one that tells."""
    told = (reads_on, reads_off) if state else (on, off)
    return Variables((oid, on), (oid, off), state or oid, frozenset({told[0]}), frozenset({told[1]}))


class ApcDriver(KnownSwitch):
    """APC Switched Rack PDU (AP79xx, AP86xx, AP89xx). PowerNet-MIB: rPDUOutletControl and rPDUOutletStatus."""

    variables = _one("1.3.6.1.4.1.318.1.1.12.3.3.1.1.4", 1, 2, "1.3.6.1.4.1.318.1.1.12.3.5.1.1.4", 1, 2)


class ApcMasterSwitchDriver(KnownSwitch):
    """APC MasterSwitch (AP9xxx), and what understands it. PowerNet-MIB: sPDUOutletCtl."""

    variables = _one("1.3.6.1.4.1.318.1.1.4.4.2.1.3", 1, 2)


class RaritanDriver(_UnitSwitch):
    """Raritan PX2, PX3 and Server Technology of today. PDU2-MIB: switchingOperation, outletSwitchingState."""

    variables = Variables(
        on=("1.3.6.1.4.1.13742.6.4.1.2.1.2", 1),
        off=("1.3.6.1.4.1.13742.6.4.1.2.1.2", 0),
        state="1.3.6.1.4.1.13742.6.4.1.2.1.3",
        reads_on=frozenset({7}),
        reads_off=frozenset({8}),
        unit="1",
    )


class EatonDriver(_UnitSwitch):
    """Eaton ePDU. EATON-EPDU-MIB: outletControlOnCmd and OffCmd (0: now), outletControlStatus (2, 3: pending)."""

    variables = Variables(
        on=("1.3.6.1.4.1.534.6.6.7.6.6.1.4", 0),
        off=("1.3.6.1.4.1.534.6.6.7.6.6.1.3", 0),
        state="1.3.6.1.4.1.534.6.6.7.6.6.1.2",
        # "Pending off" still has power, "pending on" has none yet.
        reads_on=frozenset({1, 2}),
        reads_off=frozenset({0, 3}),
        unit="0",
    )


class PoeDriver(_UnitSwitch):
    """Ports of an Ethernet switch that give power. POWER-ETHERNET-MIB (RFC 3621): pethPsePortAdminEnable.

    Reading back tells that the port may give power, not that a device takes it.
    """

    outlet_grammar = "a port's number, or group.number in a stack"
    variables = Variables(
        on=("1.3.6.1.2.1.105.1.1.1.3", 1),
        off=("1.3.6.1.2.1.105.1.1.1.3", 2),
        state="1.3.6.1.2.1.105.1.1.1.3",
        reads_on=frozenset({1}),
        reads_off=frozenset({2}),
        unit="1",
    )


class GenericSnmpDriver(KnownSwitch):
    """Any other switch, by the variables in its settings."""

    outlet_pattern = re.compile(r"\d{1,5}(?:\.\d{1,5}){0,3}", re.ASCII)
    outlet_grammar = "a number, or several with dots between them"
    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec("control_oid", str, help="The variable that switches, without the outlet's number."),
        SettingSpec("on_value", int, default=1, least=-(2**31), most=2**31 - 1, help="Written to it for on."),
        SettingSpec("off_value", int, default=2, least=-(2**31), most=2**31 - 1, help="Written for off."),
        SettingSpec("state_oid", str, default="", help="The variable that tells; empty: the same."),
        SettingSpec("state_on_value", int, default=1, least=-(2**31), most=2**31 - 1, help="Read when on."),
        SettingSpec("state_off_value", int, default=2, least=-(2**31), most=2**31 - 1, help="Read when off."),
        *LOGIN,
    )

    @property
    def variables(self) -> Variables:  # type: ignore[override]
        """Read them in the settings."""
        control, state = self._oid("control_oid"), self._oid("state_oid")
        on, off, reads_on, reads_off = (
            int(self.values[name]) for name in ("on_value", "off_value", "state_on_value", "state_off_value")
        )
        return _one(control, on, off, state or control, reads_on, reads_off)

    def open(self, deadline: Deadline) -> None:
        """Get ready to ask, if the settings make sense."""
        _ = self.variables
        super().open(deadline)

    def _oid(self, name: str) -> str:
        oid = self.text(name)
        if not _OID.fullmatch(oid) and not (name == "state_oid" and not oid):
            raise Misconfigured(f"setting {name}: numbers with dots between them expected, got {oid!r:.80}")
        return oid.strip(".")
