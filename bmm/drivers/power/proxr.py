"""ProXR relay boards over TCP: four banks of eight relays, one connection at a time, single-byte answers.

Source of the commands: National Control Devices, ProXR Series manual (media.ncd.io/20170721183921/ProXR.pdf, also
relaypros.com/Relay/PROXRMAN), "100 series" commands that name their bank, and 254 33, the two-way test; the same in
the public drivers ProXRLib_Python3 (protocol-notes.txt) and Device::ProXR.
"""

import re
from collections.abc import Collection, Mapping
from typing import ClassVar

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.power.base import PowerDriver
from bmm.drivers.power.contract import SwitchesTogether
from bmm.drivers.settings import SettingSpec
from bmm.drivers.wire import Wire
from bmm.errors import Garbled, Refused, Unreachable

_PORT = 2101
_RELAYS = 8
# A command is 254, a code and mostly a bank; the code for one relay is a base plus the relay's number, 1 to 8.
_COMMAND, _TEST, _OK = 254, 33, 85
_COIL_OFF, _COIL_ON, _READ_COIL = 99, 107, 115
# A whole bank: its coils as the bits of one byte, the first relay's the lowest.
_READ_BANK, _SET_BANK = 124, 140
# What the test is answered with: ready, being configured, locked.
_SIGNS_OF_LIFE = (_OK, 86, 87)
# A board answers within 10 ms, so one that is there is heard in less than this; only the second try has patience.
_FIRST_CONNECT_SECONDS, _FIRST_ANSWER_SECONDS = 1.2, 0.5
# An old board may not know the commands for a bank, and say nothing.
_BANK_SECONDS = 0.5
# With fewer of a bank's relays, reading the others costs more commands than switching these one by one.
_WORTH_A_BANK = 4


class ProXRDriver(PowerDriver, SwitchesTogether):
    """A ProXR board, wired normally closed; its address is "host" or "host:port", the port 2101 unless given."""

    outlet_pattern = re.compile(r"bank([1-4]):relay([1-8])", re.ASCII)
    outlet_grammar = "bank1:relay1 to bank4:relay8"
    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec(
            "by_banks", bool, default=True, help="False for a board that does not know 254 124 and 254 140."
        ),
    )
    rest_seconds = 1.1  # the board wants 1 s, counted from when it sees the close, not from when we send it
    connect_seconds = 1.5
    _wire: Wire | None = None
    _first_try = True

    def every_outlet(self) -> list[str]:
        """Name all 32; what a smaller board lacks it does not answer."""
        return [_outlet(bank, relay) for bank in range(1, 5) for relay in range(1, _RELAYS + 1)]

    def open(self, deadline: Deadline) -> None:
        """Connect and hear a sign of life; the board serves one connection at a time and lets others wait."""
        first, self._first_try = self._first_try, False
        in_time = deadline.sooner(_FIRST_CONNECT_SECONDS) if first else deadline
        self._wire = Wire.connect(*parse_address(self.address, _PORT), in_time)
        patience = deadline.sooner(_FIRST_ANSWER_SECONDS) if first else deadline
        answer = self._test(patience)
        if answer not in _SIGNS_OF_LIFE:
            raise Garbled(f"{self.address} answered {answer} instead of {_OK} to the two-way test")
        self._first_try = True

    def close(self) -> None:
        """Close the connection, if any."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Switch the relay; a coil that is off gives the device its power."""
        answer = self._ask(_COIL_OFF if on else _COIL_ON, outlet, deadline)
        if answer != _OK:
            raise Garbled(f"{self.address} answered {answer} instead of {_OK} to switching {outlet}")

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Read the relay's coil: 0 is power on, 1 is off."""
        answer = self._ask(_READ_COIL, outlet, deadline)
        if answer not in (0, 1):
            raise Garbled(f"{self.address} answered {answer} instead of 0 or 1 to reading {outlet}")
        return answer == 0

    def answers(self, deadline: Deadline) -> bool:
        """Make the two-way test."""
        return self._test(deadline) == _OK

    def together(self, outlets: Collection[str]) -> list[list[str]]:
        """Switch by one command what is most of a bank."""
        if not self.values["by_banks"]:
            return []
        banks: dict[int, list[str]] = {}
        for outlet in outlets:
            banks.setdefault(self._place(outlet)[0], []).append(outlet)
        return [group for group in banks.values() if len(group) >= _WORTH_A_BANK]

    def switch_together(self, wanted: Mapping[str, bool], deadline: Deadline) -> None:
        """Set the coils of a bank at once, those of other devices to what they are, and read the bank back.

        The others are read one by one: 0 and 1 alone are answers to that, while any byte passes for a bank's.
        """
        bank = self._place(next(iter(wanted)))[0]
        everybody = [_outlet(bank, relay) for relay in range(1, _RELAYS + 1)]
        others = {
            outlet: self.get(outlet, deadline.sooner(self.answer_seconds))
            for outlet in everybody
            if outlet not in wanted
        }
        coils = sum(
            (not power) << self._place(outlet)[1] - 1 for outlet, power in {**wanted, **others}.items()
        )
        if coils == _COMMAND:
            # A board that does not know the command would take this byte for the beginning of another one.
            raise Refused(f"{self.address}: the coils {coils} of bank {bank} are not set at once")
        answer = self._exchange(bytes((_COMMAND, _SET_BANK, coils, bank)), deadline.sooner(_BANK_SECONDS))
        if answer != _OK:
            raise Garbled(f"{self.address} answered {answer} instead of {_OK} to setting bank {bank}")
        found = self._exchange(bytes((_COMMAND, _READ_BANK, bank)), deadline.sooner(_BANK_SECONDS))
        if found != coils:
            raise Refused(f"the coils of bank {bank} of {self.address} were set to {coils} and read {found}")

    @classmethod
    def _place(cls, outlet: str) -> tuple[int, int]:
        bank, relay = cls.check_outlet(outlet).removeprefix("bank").split(":relay")
        return int(bank), int(relay)

    def _test(self, deadline: Deadline) -> int:
        return self._exchange(bytes((_COMMAND, _TEST)), deadline)

    def _ask(self, base: int, outlet: str, deadline: Deadline) -> int:
        bank, relay = self._place(outlet)
        return self._exchange(bytes((_COMMAND, base + relay, bank)), deadline)

    def _exchange(self, command: bytes, deadline: Deadline) -> int:
        if self._wire is None:
            raise Unreachable(f"{self.address}: not connected")
        self._wire.send(command, deadline)
        return self._wire.receive(1, deadline)[0]


def _outlet(bank: int, relay: int) -> str:
    return f"bank{bank}:relay{relay}"
