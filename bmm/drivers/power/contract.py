"""What a power driver is: what it declares of itself, and the few functions that it writes."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.guard import guard_methods
from bmm.drivers.settings import SettingSpec, read_settings
from bmm.errors import Garbled, HardwareError, Misconfigured

# What an outlet's power is: on or off, None where the controller cannot tell, or the error that asking met.
Power = bool | HardwareError | None

# For the drivers whose devices differ in how long they must be without power.
OFF_SECONDS = SettingSpec(
    "off_seconds", float, default=3.0, most=10, help="Seconds that a power cycle leaves a device off."
)


# For those whose peers take an order at once and carry it out later.
SETTLE_SECONDS = SettingSpec(
    "settle_seconds",
    float,
    default=30.0,
    most=120,
    help="Seconds from an order until its state shows that, at most.",
)

# An ordinary batch has time for orders that show, and are read, within so many seconds.
_QUICK_SECONDS = 8.0

# All that is called from outside: an exception of another kind becomes one of these.
_FAULTS_OF_A_PEER = (
    "open", "close", "set", "get", "answers", "together", "switch_together", "every_outlet", "switch", "power_on",
    "power_off", "cycle", "read", "test", "ensure_open", "drop",
)  # fmt: skip
_GUARDED: dict[str, type[HardwareError]] = {
    **dict.fromkeys(_FAULTS_OF_A_PEER, Garbled),
    **dict.fromkeys(("check_address", "check_outlet"), Misconfigured),
}


class PowerContract(ABC):
    """The part of PowerDriver (base.py) that drivers fill in. What they write is guarded: see guard.py."""

    # The texts that name an outlet, and the same in words for whoever wrote another one.
    outlet_pattern: ClassVar[re.Pattern[str]]
    outlet_grammar: ClassVar[str]
    # What the address is, for forms.
    address_help: ClassVar[str] = "host or host:port"
    settings: ClassVar[tuple[SettingSpec, ...]] = ()
    # A person does the switching; see bmm/by_hand.py.
    by_hand: ClassVar[bool] = False

    # False where the controller cannot tell whether an outlet is on: what it accepts then counts as done.
    verifies: bool = True
    # The longest time from an accepted command until reading shows it. Where it is not 0, a whole batch is told
    # first and read back afterwards, so that the times do not add up.
    settle_seconds: float = 0.0
    # Between two devices going on: all at once could blow the fuse that they share.
    stagger_seconds: float = 0.0
    # How long the devices stay without power in a cycle: their capacitors must run empty.
    off_seconds: float = 1.0
    # How long the controller wants to be left alone between two connections.
    rest_seconds: float = 0.0
    # A command that takes longer than this will never be answered: the rest of the batch should not wait.
    answer_seconds: float = 2.0
    connect_seconds: float = 3.0

    def __init__(
        self, address: str, settings: Mapping[str, object] | None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.address = address
        self.values = read_settings(self.settings, settings or {})
        if OFF_SECONDS in self.settings:
            self.off_seconds = self.number(OFF_SECONDS.name)
        if SETTLE_SECONDS in self.settings:
            self.settle_seconds = self.number(SETTLE_SECONDS.name)
        self._sleep = sleep

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        guard_methods(cls, _GUARDED)

    # -- what a driver writes ------------------------------------------------------------------------------

    def open(self, deadline: Deadline) -> None:  # noqa: B027 - many hold no connection
        """Make the one connection, where there is one; raises Unreachable or Misconfigured."""

    def close(self) -> None:  # noqa: B027 - as above
        """Close it, also when it is half open or closed already; raises nothing."""

    @abstractmethod
    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Give the outlet's device power, or take it; raises Unreachable, Garbled or Refused."""

    @abstractmethod
    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Ask the hardware whether the outlet's device has power; raises Unreachable or Garbled.

        Not called where `verifies` is False.
        """

    @abstractmethod
    def answers(self, deadline: Deadline) -> bool:
        """Ask for a sign of life that touches no outlet; False for an answer that is the wrong one."""

    def every_outlet(self) -> list[str]:
        """Name all outlets that there can be; none where the grammar alone cannot say."""
        return []

    # -- for drivers and everybody else --------------------------------------------------------------------

    @classmethod
    def check_address(cls, address: str) -> str:
        """Give back an address that this driver can have; any other raises Misconfigured."""
        parse_address(address, 1)
        return address

    @property
    def late_seconds(self) -> float:
        """By how much longer than usual switching off, and switching on, may take until it shows."""
        return max(0.0, self.settle_seconds + self.answer_seconds - _QUICK_SECONDS)

    @property
    def extra_seconds(self) -> float:
        """By how much longer a batch may take: its deadline, its lease and its state's timeout follow from that."""
        return 2 * self.late_seconds

    @classmethod
    def extra_seconds_of(cls, given: Mapping[str, object]) -> float:
        """Return the same for a driver with these settings that has not been made; raise Misconfigured."""
        settle = cls.settle_seconds
        if SETTLE_SECONDS in cls.settings:
            settle = float(SETTLE_SECONDS.read(given.get(SETTLE_SECONDS.name, SETTLE_SECONDS.default)))
        return 2 * max(0.0, settle + cls.answer_seconds - _QUICK_SECONDS)

    def text(self, name: str) -> str:
        """Give the value of a setting that is text."""
        return str(self.values[name])

    def number(self, name: str) -> float:
        """Give the value of a setting that is a number."""
        return float(self.values[name])

    @classmethod
    def check_outlet(cls, outlet: str) -> str:
        """Give back an outlet that this driver can have; any other raises Misconfigured."""
        if not cls.outlet_pattern.fullmatch(outlet):
            raise Misconfigured(f"there is no outlet {outlet!r}: {cls.outlet_grammar} expected")
        return outlet


class SwitchesTogether(ABC):
    """The part of a driver that knows a command for several outlets at once; it is guarded where the driver is."""

    @abstractmethod
    def together(self, outlets: Collection[str]) -> list[list[str]]:
        """Return which of the outlets are better switched by `switch_together`, in groups; mostly none."""

    @abstractmethod
    def switch_together(self, wanted: Mapping[str, bool], deadline: Deadline) -> None:
        """Switch a group by one command and read it back; raise HardwareError where it is not as wanted.

        Other outlets stay as they are. What fails here is tried again one by one.
        """
