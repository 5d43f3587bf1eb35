"""What all switches share that are reached by calling URLs; the drivers over it say which, and how to read answers."""

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from bmm.deadline import Deadline
from bmm.drivers.http import NotThere, Reply, basic_auth, call
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
    # Any outlet's name; asking for its state shows that somebody is there.
    probe: ClassVar[str] = "1"
    answer_seconds = 5.0
    settle_seconds = 1.0

    @abstractmethod
    def switching(self, outlet: str, on: bool) -> Call:
        """Say how an outlet is switched."""

    @abstractmethod
    def asking(self, outlet: str) -> Call:
        """Say how its state is asked for."""

    @abstractmethod
    def understand(self, text: str) -> bool | None:
        """Read on or off in the answer to that; None where it is neither, or both."""

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Make the call that switches."""
        self._call(self.switching(self.check_outlet(outlet), on), deadline)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Make the call that asks, and read its answer."""
        reply = self._call(self.asking(self.check_outlet(outlet)), deadline)
        on = self.understand(reply.text)
        if on is None:
            words = " ".join(reply.text.split())[:100]
            raise Garbled(f"{self.address}: the answer for {outlet} says neither on nor off: {words!r}")
        return on

    def answers(self, deadline: Deadline) -> bool:
        """Ask for an outlet; that there is none such is a sign of life, too."""
        if not self.verifies:
            raise Misconfigured(f"{self.address} can only be switched, not asked: there is no test of it")
        try:
            self._call(self.asking(self.probe), deadline)
        except NotThere:
            return True
        return True

    def headers(self) -> dict[str, str]:
        """Give the headers of every call."""
        return basic_auth(self.text("user"), self.text("password"))

    def _call(self, what: Call, deadline: Deadline) -> Reply:
        verify = bool(self.values["verify_certificate"])
        return call(what.method, what.url, deadline, headers=self.headers(), body=what.body, verify=verify)
