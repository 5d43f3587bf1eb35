"""Addresses of hardware: their grammar, checked before anything else sees them, and looking names up.

IPv4 only: relay boards and Pandaboards speak nothing else.
"""

import ipaddress
import re
import socket
from functools import partial

from bmm.deadline import Deadline
from bmm.drivers.aside import in_time
from bmm.errors import Misconfigured, Unreachable

# RFC 1123: labels of letters, digits and inner hyphens, at most 63 characters each and 253 together.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAME = 253
_HIGHEST_PORT = 65535


def is_ipv4(text: str) -> bool:
    """Whether the text is an IPv4 address in dotted form."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def check_host(host: str) -> str:
    """Give back a host name or IPv4 address that fits the grammar; anything else raises Misconfigured."""
    if len(host) > _LONGEST_NAME or not _HOSTNAME.fullmatch(host):
        raise Misconfigured(f"{host!r} is neither a host name nor an IPv4 address")
    # No top-level domain is all digits (RFC 3696), so this can only be meant as an address.
    if host.rpartition(".")[2].isdigit() and not is_ipv4(host):
        raise Misconfigured(f"{host!r} is not a valid IPv4 address")
    return host


def check_port(port: int) -> int:
    """Give back a TCP port from 1 to 65535; anything else raises Misconfigured."""
    if not 1 <= port <= _HIGHEST_PORT:
        raise Misconfigured(f"port {port} is not between 1 and {_HIGHEST_PORT}")
    return port


def parse_address(address: str, default_port: int) -> tuple[str, int]:
    """Split "host" or "host:port" and check both parts; raises Misconfigured."""
    host, colon, port = address.partition(":")
    if not colon:
        return check_host(host), default_port
    if not (port.isascii() and port.isdigit()):
        raise Misconfigured(f'{address!r}: "host" or "host:port" expected')
    return check_host(host), check_port(int(port))


def resolve(host: str, deadline: Deadline) -> str:
    """Give the IPv4 address of a host name; an address is given back as it is.

    Raises Misconfigured for what is no host name, Unreachable when the name is not known, OutOfTime when the
    name service does not answer in time: the system's resolver knows no timeout of its own that fits ours.
    """
    check_host(host)
    if is_ipv4(host):
        return host
    try:
        found = in_time(
            partial(socket.getaddrinfo, host, None, socket.AF_INET), deadline, f"looking up {host}"
        )
    except OSError as error:
        raise Unreachable(f"{host}: the name cannot be resolved: {error.strerror}") from error
    return str(found[0][4][0])
