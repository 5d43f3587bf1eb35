"""Whether a device is there: by ICMP echo, or by a TCP port that accepts.

False is only said about the device. What is our own trouble - a name that does not resolve, no right to send
ICMP, no free socket - is raised, so that it is never held against the device.
"""

import errno
import random
import shutil
import socket
import subprocess
import time

from icmplib import ICMPRequest, ICMPSocketError, ICMPv4Socket  # type: ignore[import-untyped,unused-ignore]

from bmm.deadline import Deadline
from bmm.drivers.address import check_port, resolve
from bmm.errors import Misconfigured, Unreachable

# One lost packet is no absent device; a device that answers at all does so within a second on its own VLAN.
_ECHOES = 3
_ECHO_SECONDS = 1.0
_ICMP_ECHO_REPLY = 0

# What connect() says when the other side is absent or does not listen.
_ABSENT = {
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
}


def ping(address: str, deadline: Deadline) -> bool:
    """Whether a host name or IPv4 address answers one of three ICMP echo requests, about a second each.

    Uses the datagram socket that Linux gives to groups in net.ipv4.ping_group_range, else a raw socket
    (root or CAP_NET_RAW), else the program fping. Raises Misconfigured when none of them may be used or the
    address is none, Unreachable when the name does not resolve, OutOfTime when the deadline has passed.
    """
    ip = resolve(address, deadline)
    deadline.check(f"pinging {address}")
    for privileged in (False, True):
        # Which error says "not allowed here" differs between kernels and containers; the next way decides.
        try:
            icmp = ICMPv4Socket(privileged=privileged)
        except ICMPSocketError:
            continue
        with icmp:
            return _echoed(icmp, ip, deadline)
    return fping(ip, deadline)


def fping(ip: str, deadline: Deadline) -> bool:
    """Whether an IPv4 address answers the program fping, which brings the rights that we may not have.

    Raises Misconfigured when fping is not installed or may not send either.
    """
    program = shutil.which("fping")
    if program is None:
        raise Misconfigured(
            "no ICMP here: give this user's group to net.ipv4.ping_group_range, or the process CAP_NET_RAW, "
            "or install fping",
        )
    seconds = deadline.check(f"pinging {ip}")
    each = max(1, int(min(_ECHO_SECONDS, seconds / _ECHOES) * 1000))
    command = [program, "-q", "-B", "1", "-r", str(_ECHOES - 1), "-t", str(each), "--", ip]
    try:
        # The command is a list, its only outside part is an IPv4 address, and "--" ends the options.
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, text=True)
    except subprocess.TimeoutExpired:
        return False
    except OSError as error:
        raise Misconfigured(f"{program} cannot be run: {error.strerror}") from error
    # fping(8): 0 all reachable, 1 some not; above that it could not do its work.
    if done.returncode not in (0, 1):
        raise Misconfigured(f"{program} failed ({done.returncode}): {done.stderr.strip()[:200]}")
    return done.returncode == 0


def tcp_answers(address: str, port: int, deadline: Deadline) -> bool:
    """Whether a TCP port of a host name or IPv4 address accepts a connection before the deadline.

    Refused, unreachable and silent are False. Raises Misconfigured for an address or port that cannot be,
    Unreachable when the name does not resolve or this machine has no socket to spare, OutOfTime when
    the deadline has passed before anything was tried.
    """
    peer = (resolve(address, deadline), check_port(port))
    try:
        with socket.create_connection(peer, timeout=deadline.check(f"connecting to {address}:{port}")):
            return True
    except TimeoutError:
        return False
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise Unreachable(f"{address}:{port}: {error.strerror or error}") from error


def _echoed(icmp: ICMPv4Socket, ip: str, deadline: Deadline) -> bool:
    # A raw socket hears every process's echoes, and processes forked from one parent would count their
    # identifiers from the same number: so ours is random.
    identifier = random.getrandbits(16)
    for sequence in range(_ECHOES):
        # Half of what is left, because a packet for somebody else makes icmplib wait its timeout once more.
        window = deadline.sooner(min(_ECHO_SECONDS, deadline.remaining() / 2))
        if _echoed_once(icmp, ICMPRequest(ip, identifier, sequence), window):
            return True
        time.sleep(window.remaining())
    return False


def _echoed_once(icmp: ICMPv4Socket, request: ICMPRequest, window: Deadline) -> bool:
    try:
        icmp.send(request)
        while not window.expired:
            reply = icmp.receive(request, window.remaining())
            # icmplib compares identifier and sequence only, which another process may share.
            if reply.type == _ICMP_ECHO_REPLY and reply.source == request.destination:
                return True
    except ICMPSocketError:
        # Nothing in time, or "host unreachable" and its like, which come at once; the next request waits for
        # its turn all the same.
        return False
    return False
