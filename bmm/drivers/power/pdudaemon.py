"""Outlets behind a pdudaemon, as LAVA labs have it; it speaks to hundreds of kinds of switches and reads none back.

Source: pdudaemon's httplistener.py and README: GET /power/control/on?hostname=PDU&port=OUTLET, 200 once it is done.
"""

import re
from typing import ClassVar
from urllib.parse import urlencode

from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.http import call
from bmm.drivers.power.base import OFF_SECONDS, PowerDriver
from bmm.drivers.settings import SettingSpec
from bmm.drivers.wire import Wire
from bmm.errors import Misconfigured, Unreachable

_PORT = 16421


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
        host, port = parse_address(self.address, _PORT)
        asked = urlencode({"hostname": self.text("hostname"), "port": self.check_outlet(outlet)})
        call("GET", f"http://{host}:{port}/power/control/{'on' if on else 'off'}?{asked}", deadline)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Never asked: the daemon has no such question."""
        raise Misconfigured(f"{self.address}: pdudaemon cannot tell whether {outlet} is on")

    def answers(self, deadline: Deadline) -> bool:
        """See whether the daemon accepts a connection; it has no question that touches no outlet."""
        try:
            Wire.connect(*parse_address(self.address, _PORT), deadline).close()
        except Unreachable as error:
            raise Unreachable(f"no pdudaemon there: {error}") from error
        return True
