"""ProXR relay boards over TCP: four banks of eight relays, one connection at a time, single-byte answers."""

import re

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.power.base import PowerDriver
from bmm.drivers.wire import Wire
from bmm.errors import Garbled, Unreachable

_PORT = 2101
# A command is 254, a code and mostly a bank; the code for one relay is a base plus the relay's number, 1 to 8.
_COMMAND, _TEST, _OK = 254, 33, 85
_COIL_OFF, _COIL_ON, _READ_COIL = 99, 107, 115


class ProXRDriver(PowerDriver):
    """A ProXR board, wired normally closed; its address is "host" or "host:port", the port 2101 unless given."""

    outlet_pattern = re.compile(r"bank([1-4]):relay([1-8])", re.ASCII)
    outlet_grammar = "bank1:relay1 to bank4:relay8"
    rest_seconds = 1.1  # the board wants 1 s, counted from when it sees the close, not from when we send it
    _wire: Wire | None = None

    def every_outlet(self) -> list[str]:
        """Name all 32; what a smaller board lacks it does not answer."""
        return [f"bank{bank}:relay{relay}" for bank in range(1, 5) for relay in range(1, 9)]

    def open(self, deadline: Deadline) -> None:
        """Connect; the board serves one connection at a time and lets others wait."""
        self._wire = Wire.connect(*parse_address(self.address, _PORT), deadline)

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
        return self._exchange(bytes((_COMMAND, _TEST)), deadline) == _OK

    def _ask(self, base: int, outlet: str, deadline: Deadline) -> int:
        bank, relay = self.check_outlet(outlet).removeprefix("bank").split(":relay")
        return self._exchange(bytes((_COMMAND, base + int(relay), int(bank))), deadline)

    def _exchange(self, command: bytes, deadline: Deadline) -> int:
        if self._wire is None:
            raise Unreachable(f"{self.address}: not connected")
        self._wire.send(command, deadline)
        return self._wire.receive(1, deadline)[0]
