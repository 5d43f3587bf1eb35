"""`manage.py check_rack`: looks at all that must be right for a rack, and says what to mend."""

import socket
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from devices.models import Rack
from lifeguard.rack import alive, booting, network
from lifeguard.rack.findings import Finding, Findings, Level, Place
from mozpool_site.commands import MozpoolCommand
from mozpool_site.errors import UnknownNameError

CHECKS: tuple[Callable[[Place], Findings], ...] = (
    network.time,
    alive.pulse,
    alive.worker,
    network.web,
    booting.disk,
    booting.boot_configs,
    booting.tftp,
    alive.power,
    network.names,
)


class Command(MozpoolCommand):
    """Looks, and ends with status 1 when something must be mended."""

    help = (
        "Look at what an operator must get right for a rack: clock, pulse, worker, web server, disk, boot configs,\n"
        "TFTP and its files, power controllers, names. Run it on the rack's imaging server. It switches nothing; one\n"
        "device is pinged. Exit status: 0 nothing must be mended (there may be warnings), 1 something must."
    )
    examples = (
        "  manage.py check_rack p1\n  manage.py check_rack p1 --json | jq '.[] | select(.level != \"ok\")'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the rack."""
        parser.add_argument("rack", metavar="RACK", help="the rack's name")
        parser.add_argument("--json", action="store_true", help="print a list of findings as JSON")
        parser.add_argument(
            "--tftp-port", type=int, default=69, metavar="PORT", help="where TFTP is served (default: 69)"
        )

    def handle(self, *, rack: str, json: bool, tftp_port: int, **_: Any) -> None:
        """Look."""
        row = Rack.objects.filter(name=rack).first()
        if row is None:
            raise UnknownNameError(f"there is no rack {rack!r}", field="rack")
        place = Place.of(row, here=_is_here(row.address), tftp_port=tftp_port)
        found: list[Finding] = []
        for check in CHECKS:
            for finding in check(place):
                found.append(finding)
                if not json:
                    self.say(_line(finding))
        if json:
            self.show_json([asdict(finding) for finding in found])
        if failed := sum(finding.level is Level.FAIL for finding in found):
            self.fail(f"{failed} of {len(found)} findings must be mended", 1)


def _line(finding: Finding) -> str:
    mend = f" -- {finding.mend}" if finding.mend else ""
    return f"{finding.level:<5} {finding.check}: {finding.found}{mend}"


def _is_here(address: str) -> bool:
    """Whether an IP address is one of this host's own: only those can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
