"""One HTTP call to a piece of hardware: over before its deadline, never redirected, its answer bounded.

Switches with a web server in them are small and odd; a client that follows, retries or remembers would only hide it.
"""

import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from bmm.deadline import Deadline
from bmm.drivers.address import check_host, check_port, resolve
from bmm.errors import Garbled, Misconfigured, OutOfTime, Refused, Unreachable

# The longest honest answer of a switch is a status of a few kB.
_LONGEST_ANSWER = 65536
_PLAIN = re.compile(r"[\x21-\x7e]+")
_PORTS = {"http": 80, "https": 443}
_SERVER_FAULT, _REDIRECT = 500, 300
_NOT_THERE = (400, 404, 410, 422)


class NotThere(Misconfigured):
    """The server knows no such path or thing."""


@dataclass(frozen=True)
class Reply:
    """What was answered: the status, the body as text, and the challenge of a server that wants a login."""

    status: int
    text: str
    where: str = ""
    challenge: str = ""


def check_url(url: str) -> SplitResult:
    """Take a URL apart that we can call; anything else raises Misconfigured."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Misconfigured(f"{url!r} is no URL: {error}") from error
    if not _PLAIN.fullmatch(url) or parts.scheme not in _PORTS or not parts.hostname:
        raise Misconfigured(f"{url!r}: http://host/path or https://host/path expected, without white space")
    if parts.username is not None or parts.fragment:
        raise Misconfigured(f"{parts.hostname}: a URL without user and without # expected")
    check_host(parts.hostname)
    check_port(port or _PORTS[parts.scheme])
    return parts


def basic_auth(user: str, password: str) -> dict[str, str]:
    """Give the header of HTTP basic authentication, or none without a user."""
    if not user:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def exchange(
    method: str,
    url: str,
    deadline: Deadline,
    *,
    headers: Mapping[str, str] | None = None,
    body: str = "",
    verify: bool = True,
) -> Reply:
    """Make one call and return its answer, whatever its status; `verify` looks at the server's certificate.

    Raise Unreachable, OutOfTime and Garbled for what the network did.
    """
    parts = check_url(url)
    peer = f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
    with _connection(parts, deadline, verify=verify) as connection:
        target = parts.path or "/"
        target += f"?{parts.query}" if parts.query else ""
        try:
            connection.request(
                method, target, body.encode() or None, {"Connection": "close", **(headers or {})}
            )
            # Closed here: it would keep the socket open for as long as anybody remembers it.
            with contextlib.closing(connection.getresponse()) as response:
                text = response.read(_LONGEST_ANSWER + 1)
                challenge = response.getheader("WWW-Authenticate", "")
        except (http.client.HTTPException, ValueError) as error:
            if deadline.expired:
                raise OutOfTime(f"{peer} did not answer in time") from error
            raise Garbled(f"{peer} does not speak HTTP: {type(error).__name__} {error}"[:300]) from error
        except OSError as error:
            if deadline.expired:
                raise OutOfTime(f"{peer} did not answer in time") from error
            raise Unreachable(f"{peer}: {error.strerror or error}") from error
    # A call that was cut off may look like one that ended.
    if deadline.expired:
        raise OutOfTime(f"{peer} did not answer in time")
    if len(text) > _LONGEST_ANSWER:
        raise Garbled(f"{peer} answered more than {_LONGEST_ANSWER} bytes")
    return Reply(response.status, text.decode("utf-8", "replace"), f"{peer}{parts.path}", challenge)


def judge(reply: Reply) -> Reply:
    """Give back an answer whose status is 2xx.

    Raise Unreachable for 5xx and 429, Refused for 409 and 423, NotThere for a wrong path, Misconfigured for any other
    3xx or 4xx (a wrong password).
    """
    told = f"{reply.where} answered {reply.status}: {' '.join(reply.text.split())[:120]}"
    if reply.status >= _SERVER_FAULT or reply.status == http.client.TOO_MANY_REQUESTS:
        raise Unreachable(told)
    if reply.status in (http.client.CONFLICT, http.client.LOCKED):
        raise Refused(told)
    if reply.status in _NOT_THERE:
        raise NotThere(told)
    if reply.status >= _REDIRECT:
        raise Misconfigured(told)
    return reply


@contextlib.contextmanager
def _connection(
    parts: SplitResult, deadline: Deadline, *, verify: bool
) -> Iterator[http.client.HTTPConnection]:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    connection = http.client.HTTPConnection(host, port)
    if parts.scheme == "https":
        # For the Host header alone: the connection itself is made below.
        connection.default_port = _PORTS["https"]
    sock = _connect(host, port, deadline)
    if parts.scheme == "https":
        sock = _wrap(sock, host, verify=verify)
    # Timeouts count from packet to packet; a peer that drips would be heard for ever.
    end = threading.Timer(deadline.remaining(), _cut, [sock])
    end.daemon = True
    end.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            _shake_hands(sock, f"{host}:{port}", deadline)
        connection.sock = sock
        yield connection
    finally:
        end.cancel()
        connection.close()
        sock.close()


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    address = resolve(host, deadline)
    try:
        return socket.create_connection((address, port), timeout=deadline.check(f"calling {host}:{port}"))
    except TimeoutError as error:
        raise OutOfTime(f"{host}:{port} did not accept the connection in time") from error
    except OSError as error:
        raise Unreachable(f"{host}:{port}: {error.strerror or error}") from error


def _wrap(sock: socket.socket, host: str, *, verify: bool) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except OSError as error:
        sock.close()
        raise Unreachable(f"{host}: {error}") from error


def _shake_hands(sock: ssl.SSLSocket, peer: str, deadline: Deadline) -> None:
    try:
        sock.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(f"{peer}: its certificate is not trusted: {error.verify_message}") from error
    except (OSError, ValueError) as error:
        if deadline.expired:
            raise OutOfTime(f"{peer} did not answer in time") from error
        raise Unreachable(f"{peer} does not speak TLS with us: {error}") from error


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Of an SSLSocket, too, this is the plain one: it waits for nobody.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
