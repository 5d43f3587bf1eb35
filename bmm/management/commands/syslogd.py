"""`manage.py syslogd`: receives the logs of a rack's devices."""

import logging
import signal
import socket
import threading
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bmm.syslog.daemon import Daemon, Plan
from bmm.syslog.listening import CannotListen
from devices.models import Rack

logger = logging.getLogger(__name__)
_LAST_PORT = 65535


class Command(BaseCommand):
    """Writes what devices send by syslog into the journal. Needs no broker."""

    help = (
        "Receive syslog (RFC 3164 and 5424, by UDP and TCP) from the devices of racks and write it into the journal; "
        "what is alarming becomes an event. The sender's address tells the device. Runs until SIGTERM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take addresses, port, racks and limits."""
        parser.add_argument(
            "--bind", action="append", default=[], type=_address, metavar="ADDRESS",
            help="an address to listen on; may be repeated (default: the racks' addresses that this host has)",
        )  # fmt: skip
        parser.add_argument("--port", type=_port, default=514, help="for UDP and TCP (default: %(default)s)")
        parser.add_argument(
            "--rack", action="append", default=[], metavar="NAME",
            help="a rack whose devices may send; may be repeated (default: all racks)",
        )  # fmt: skip
        parser.add_argument(
            "--relay", action="append", default=[], type=_address, metavar="ADDRESS",
            help="a syslog server that sends devices' lines on, with the device's address as RFC 5424's host; "
            "may be repeated (default: none)",
        )  # fmt: skip
        parser.add_argument(
            "--resolve", action="store_true", help="look up the FQDN of devices that have no address"
        )
        parser.add_argument(
            "--rate", type=_from_1_to(100_000), default=int(Plan.rate), metavar="LINES",
            help="lines a second that one device may log in the long run (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--burst", type=_from_1_to(1_000_000), default=Plan.burst, metavar="LINES",
            help="lines that one device may log at once (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--queue", type=_from_1_to(1_000_000), default=Plan.most_waiting, metavar="LINES",
            help="lines kept in memory while the database is away, 1 kB each (default: %(default)s)",
        )  # fmt: skip

    def handle(self, *, bind: list[str], rack: list[str], **options: Any) -> None:
        """Receive until told to stop."""
        racks = _racks(rack)
        plan = Plan(
            addresses=list(dict.fromkeys(bind)) or _own_addresses(racks),
            port=options["port"],
            racks=[one.pk for one in racks] if rack else (),
            relays=options["relay"],
            look_up=options["resolve"],
            rate=float(options["rate"]),
            burst=options["burst"],
            most_waiting=options["queue"],
        )
        stop = threading.Event()
        try:
            daemon = Daemon(plan)
        except CannotListen as error:
            raise CommandError(str(error)) from error

        def end(*_: object) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        if not daemon.run(stop):
            raise CommandError("the listener broke down; the log above says why")


def _racks(names: Iterable[str]) -> list[Rack]:
    if not names:
        return list(Rack.objects.all())
    found = {rack.name: rack for rack in Rack.objects.filter(name__in=names)}
    for name in names:
        if name not in found:
            raise CommandError(f"--rack: there is no rack {name!r}", returncode=2)
    return list(found.values())


def _own_addresses(racks: Iterable[Rack]) -> list[str]:
    """Choose the racks' addresses that this host has: what listens there hears the rack's own network."""
    own = [address for address in dict.fromkeys(rack.address for rack in racks) if _is_ours(address)]
    if not own:
        raise CommandError("this host has none of the racks' addresses: say --bind ADDRESS", returncode=2)
    return own


def _is_ours(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no IPv4 address; 10.12.1.2 or 0.0.0.0 are") from None


def _port(text: str) -> int:
    return _from_1_to(_LAST_PORT)(text)


def _from_1_to(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (
            text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most and len(text) <= len(str(most))
        ):
            raise ArgumentTypeError(f"{text!r} is no whole number from 1 to {most}")
        return int(text)

    return read
