"""`manage.py tftpd`: serves the TFTP folder, read-only, where a lab has no TFTP server."""

import contextlib
import ipaddress
import logging
import os
import pwd
import resource
import signal
import socket
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from bmm.tftp.server import Limits, Server, listen
from mozpool_site.commands import MozpoolCommand
from mozpool_site.errors import ConflictError, InvalidInputError

_PORT = 69
_LARGEST_PORT = 65535
# Seconds for what is on its way when we are told to stop; a board that is cut off asks again by itself.
_GRACE = 5.0
# A transfer has a socket and a file; others are the process's own: sockets, logs, a file that is being opened.
_DESCRIPTORS_OF_ONE, _DESCRIPTORS = 2, 32


class Command(MozpoolCommand):
    """Gives boards their boot files."""

    help = (
        "Serve boot files, kernels and live images by TFTP, read-only, until SIGTERM. Knows block size, window size,\n"
        "timeout and transfer size (RFC 2347-2349, 7440). Started as root it binds the port and then becomes --user.\n"
        "Whoever reaches it can read every boot file, so bind it to the address in the rack's own network."
    )
    examples = (
        "  manage.py tftpd --bind 10.12.1.2\n"
        "  manage.py tftpd --bind 127.0.0.1:6969 --root /srv/tftp       no root needed above port 1023"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where, what, as whom, how many."""
        parser.add_argument(
            "--bind", metavar="ADDRESS[:PORT]", default="0.0.0.0",  # noqa: S104 - what other TFTP servers do
            help="IPv4 address to serve at (default: all), port 69 unless given",
        )  # fmt: skip
        parser.add_argument("--root", metavar="FOLDER", help="what to serve (default: MOZPOOL_TFTP_ROOT)")
        parser.add_argument(
            "--user", default="nobody", help="whom to become when started as root (default: nobody)"
        )
        parser.add_argument(
            "--transfers", type=int, default=Limits.transfers, metavar="N",
            help=f"transfers at a time (default: {Limits.transfers}); others wait",
        )  # fmt: skip

    def handle(self, **options: Any) -> None:
        """Serve until told to stop."""
        address, port = _place(options["bind"])
        if options["transfers"] < 1:
            raise InvalidInputError("--transfers: at least 1, please", field="transfers")
        root = Path(options["root"] or settings.MOZPOOL_TFTP_ROOT)
        user = _user(options["user"]) if os.geteuid() == 0 else None
        listening = _bound(address, port)
        with contextlib.closing(listening):
            if user is not None:
                _become(user)
            if not root.is_dir() or not os.access(root, os.R_OK | os.X_OK):
                raise InvalidInputError(f"--root: {root} is no folder that we may read", field="root")
            transfers = self._that_fit(options["transfers"])
            server = Server(listening, root, Limits(transfers=transfers))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: server.stop(_GRACE))
            host, bound = listening.getsockname()
            # A line for each transfer is what it is watched for; other commands keep their logs to themselves.
            logging.getLogger("bmm.tftp").setLevel(logging.INFO)
            self.say(f"serving {root.resolve()} at {host}:{bound}")
            server.serve()

    def _that_fit(self, transfers: int) -> int:
        """Let the process open what so many transfers need; return how many of them fit."""
        wanted = _DESCRIPTORS + _DESCRIPTORS_OF_ONE * transfers
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        fitting = (soft - _DESCRIPTORS) // _DESCRIPTORS_OF_ONE
        if soft == resource.RLIM_INFINITY or fitting >= transfers:
            return transfers
        if fitting < 1:
            raise ConflictError(f"this process may open {soft} files (ulimit -n), too few to serve any")
        self.say(
            f"{fitting} transfers at a time, not {transfers}: this process may open {soft} files (ulimit -n)"
        )
        return fitting


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.partition(":")
    try:
        number = int(port) if colon else _PORT
        if not 0 <= number <= _LARGEST_PORT or (colon and not port.isascii()):
            raise ValueError(port)  # noqa: TRY301 - one message for all that can be wrong
        return str(ipaddress.IPv4Address(host)), number
    except ValueError as error:
        raise InvalidInputError(
            f"--bind: an IPv4 address, and perhaps :PORT, expected, got {text!r}", field="bind"
        ) from error


def _bound(address: str, port: int) -> socket.socket:
    try:
        return listen(address, port)
    except PermissionError as error:
        raise ConflictError(
            f"port {port} is for root: start as root, or choose one above 1023", field="bind"
        ) from error
    except OSError as error:
        raise ConflictError(f"{address}:{port} can't be bound: {error.strerror}", field="bind") from error


def _user(name: str) -> pwd.struct_passwd:
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        raise InvalidInputError(f"--user: this machine knows no {name!r}", field="user") from error
    if user.pw_uid == 0:
        raise InvalidInputError("--user: another than root, please", field="user")
    return user


def _become(user: pwd.struct_passwd) -> None:
    """Give up root for good: groups first, for afterwards it could not be done."""
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
