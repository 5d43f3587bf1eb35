"""What all switches share that are reached by calling URLs; the drivers over it say which, and how to read answers."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from bmm.deadline import Deadline
from bmm.drivers.http import Reply, basic_auth, exchange, judge
from bmm.drivers.power.base import PowerDriver
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, Misconfigured

USER = SettingSpec("user", str, default="", help="For HTTP basic authentication; empty: none.")
PASSWORD = SettingSpec("password", str, default="", secret=True)
VERIFY = SettingSpec(
    "verify_certificate", bool, default=True, help="With https; false trusts whoever answers."
)


@dataclass(frozen=True)
class Call:
    """One call: its method, URL and body."""

    method: str
    url: str
    body: str = ""


class WebSwitch(PowerDriver):
    """A switch with a web server in it. Its settings include `user`, `password` and `verify_certificate`."""

    outlet_pattern = re.compile(r"[0-9]{1,2}", re.ASCII)
    outlet_grammar = "a number"
    # The outlet whose state shows that it is the right kind of switch, and lets us in.
    probe: str = "1"
    answer_seconds = 5.0
    settle_seconds = 1.0

    @abstractmethod
    def switching(self, outlet: str, on: bool) -> Call:
        """Return how an outlet is switched."""

    @abstractmethod
    def asking(self, outlet: str) -> Call:
        """Return how its state is asked for."""

    @abstractmethod
    def understand(self, outlet: str, text: str) -> bool | None:
        """Read on or off in the answer to that; None where it is neither, or both, or about another outlet."""

    def accept(self, outlet: str, text: str) -> None:
        """Raise HardwareError where the answer to switching shows that something else was done; many tell nothing."""

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Make the call that switches."""
        self.accept(outlet, self._call(self.switching(self.check_outlet(outlet), on), deadline).text)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Make the call that asks, and read its answer."""
        reply = self._call(self.asking(self.check_outlet(outlet)), deadline)
        on = self.understand(outlet, reply.text)
        if on is None:
            raise self.garbled(outlet, reply.text)
        return on

    def answers(self, deadline: Deadline) -> bool:
        """Ask for an outlet's state: any web server answers, but only the right one says on or off."""
        if not self.verifies:
            raise Misconfigured(f"{self.address} can only be switched, not asked: there is no test of it")
        self.get(self.probe, deadline)
        return True

    def headers(self) -> dict[str, str]:
        """Return the headers of every call."""
        return basic_auth(self.text("user"), self.text("password"))

    def garbled(self, outlet: str, text: str) -> Garbled:
        """Return the complaint about an answer that makes no sense for an outlet."""
        words = " ".join(text.split())[:100]
        return Garbled(f"{self.address}: the answer for {outlet} says neither on nor off: {words!r}")

    def exchange(self, what: Call, deadline: Deadline, login: Mapping[str, str] | None = None) -> Reply:
        """Make a call and return its answer, whatever its status; `login` goes in the place of the usual headers."""
        headers = self.headers() if login is None else login
        verify = bool(self.values["verify_certificate"])
        return exchange(what.method, what.url, deadline, headers=headers, body=what.body, verify=verify)

    def _call(self, what: Call, deadline: Deadline) -> Reply:
        return judge(self.exchange(what, deadline))
