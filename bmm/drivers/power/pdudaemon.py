"""Outlets behind a pdudaemon, as LAVA labs have it; it speaks to hundreds of kinds of switches and reads none back.

Source: pdudaemon's httplistener.py and README: GET /power/control/on?hostname=PDU&port=OUTLET, 200 once it is done.
"""

import re
from typing import ClassVar
from urllib.parse import urlencode

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.http import exchange, judge
from bmm.drivers.power.base import OFF_SECONDS, PowerDriver
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, Misconfigured

_PORT = 16421
_DONE, _REFUSED = "OK", "Invalid request"


class PduDaemonDriver(PowerDriver):
    """One of a pdudaemon's switches; the address is the daemon's, the port 16421 unless given."""

    outlet_pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", re.ASCII)
    outlet_grammar = "what the daemon calls a port: up to 64 letters, digits, and . _ : - inside"
    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec("hostname", str, help="The switch's name among `pdus` in the daemon's configuration."),
        OFF_SECONDS,
    )
    verifies = False
    # It answers after it has spoken to the switch, and tries that five times itself.
    answer_seconds = 12.0

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Have it switch. It answers 500 alike for what it does not know and for what did not work."""
        # Old daemons wait five seconds before they switch, unless they are told otherwise.
        query = {"hostname": self.text("hostname"), "port": self.check_outlet(outlet), "delay": "0"}
        reply = judge(exchange("GET", self._url("on" if on else "off", urlencode(query)), deadline))
        if not reply.text.startswith(_DONE):
            raise Garbled(f"{reply.where} does not answer as a pdudaemon: {reply.text[:100]!r}")

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Never asked: the daemon has no such question."""
        raise Misconfigured(f"{self.address}: pdudaemon cannot tell whether {outlet} is on")

    def answers(self, deadline: Deadline) -> bool:
        """Order without saying what: the daemon refuses that in words of its own, and touches no outlet."""
        reply = exchange("GET", self._url("on"), deadline)
        if not reply.text.startswith(_REFUSED):
            raise Garbled(f"{reply.where} does not answer as a pdudaemon: {reply.text[:100]!r}")
        return True

    def _url(self, what: str, query: str = "") -> str:
        host, port = parse_address(self.address, _PORT)
        return f"http://{host}:{port}/power/control/{what}?{query}"
