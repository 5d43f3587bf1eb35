"""A server's own service processor (BMC) by IPMI over the network, through the program ipmitool."""

import re
from typing import ClassVar

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.power.base import OFF_SECONDS, SETTLE_SECONDS, PowerDriver
from bmm.drivers.program import Ended, run
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, HardwareError, Misconfigured, Refused, Unreachable

_PORT = 623
_STATE = re.compile(r"^Chassis Power is (on|off)$", re.MULTILINE)
_DONE = re.compile(r"^Chassis Power Control: ", re.MULTILINE)
# What ipmitool -v says where only other credentials help (IPMI 2.0, 13.24: RMCP+ status codes).
_OUR_MISTAKES = (
    "unauthorized name",
    "HMAC is invalid",
    "Insufficient privilege",
    "Set Session Privilege Level",
)
_REFUSED = re.compile(r"Set Chassis Power Control to \S+ failed")
# Completion codes (IPMI 2.0, table 5-2) that another moment may change.
_PASSING = ("Node busy", "Timeout", "initialization")
_UNHEARD = "no response from"
# With these it waits twice as long from try to try: 1 + 2 s.
_TRY_SECONDS, _TRIES = "1", "2"


class IpmiDriver(PowerDriver):
    """One BMC: its address is "host" or "host:port", the port 623 unless given, and its one outlet `chassis`."""

    outlet_pattern = re.compile("chassis")
    outlet_grammar = "chassis"
    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec("user", str, help="A user of the BMC with the privilege below."),
        SettingSpec("password", str, default="", secret=True, help="20 characters at most."),
        SettingSpec("interface", str, default="lanplus", choices=("lanplus", "lan"), help="lan: IPMI 1.5."),
        SettingSpec("cipher_suite", str, default="auto", choices=("auto", "3", "17"), help="auto may cost 3 s."),
        SettingSpec("privilege", str, default="OPERATOR", choices=("OPERATOR", "ADMINISTRATOR")),
        SETTLE_SECONDS,
        OFF_SECONDS,
    )  # fmt: skip
    answer_seconds = 8.0

    def every_outlet(self) -> list[str]:
        """Name the one."""
        return ["chassis"]

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Have the BMC switch its host hard; it is no error if it is so already."""
        self.check_outlet(outlet)
        try:
            told = self._power("on" if on else "off", deadline)
        except Refused:
            if self.get(outlet, deadline) is on:
                return
            raise
        if not _DONE.search(told):
            raise Garbled(f"{self.address}: ipmitool does not say what it did")

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Ask the BMC for its host's power."""
        self.check_outlet(outlet)
        found = _STATE.search(self._power("status", deadline))
        if not found:
            raise Garbled(f"{self.address}: ipmitool does not say whether it is on")
        return found[1] == "on"

    def answers(self, deadline: Deadline) -> bool:
        """Ask for the power: there is no lesser question that needs the password too."""
        return self.get("chassis", deadline) in (True, False)

    def _power(self, verb: str, deadline: Deadline) -> str:
        """Ask, and once more where the login failed: of a sound one that happens in passing, too."""
        ended = self._ipmitool(verb, deadline)
        if ended.status and isinstance(self._judged(ended), Misconfigured):
            ended = self._ipmitool(verb, deadline)
        if ended.status:
            raise self._judged(ended)
        return ended.out

    def _ipmitool(self, verb: str, deadline: Deadline) -> Ended:
        host, port = parse_address(self.address, _PORT)
        suite = self.text("cipher_suite")
        return run(
            [
                "ipmitool", "-v", "-I", self.text("interface"), "-H", host, "-p", str(port), "-U", self.text("user"),
                "-E", "-L", self.text("privilege"), "-N", _TRY_SECONDS, "-R", _TRIES,
                *(() if suite == "auto" else ("-C", suite)), "chassis", "power", verb,
            ],
            deadline,
            {"IPMI_PASSWORD": self.text("password")},
        )  # fmt: skip

    def _judged(self, ended: Ended) -> HardwareError:
        told = f"{ended.err} {ended.out}"
        if any(mistake in told for mistake in _OUR_MISTAKES):
            # One that did not hear us can't judge our login: the rest of what it says follows from that.
            if _UNHEARD in told:
                return Unreachable(f"{self.address} broke off the IPMI session: {ended.complaint}")
            return Misconfigured(f"{self.address} does not accept our IPMI login: {ended.complaint}")
        if _REFUSED.search(told) and not any(words in told for words in _PASSING):
            return Refused(f"{self.address}: {ended.complaint}")
        return Unreachable(f"{self.address} does not answer IPMI: {ended.complaint}")
