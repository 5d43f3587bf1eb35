"""Posts one message to one URL, within a deadline and whatever the receiver does: hangs, drips, floods, redirects."""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore

from bmm.deadline import Deadline
from requests_app.webhooks.targets import TargetRefused, addresses

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
# For all of a try: a receiver that sends a byte now and then must not hold a thread.
ALL_SECONDS = 20.0
# Reading on would change nothing: the status has been told.
_MOST_BYTES = 1000
_BODY_SECONDS = 2.0
_GONE = 410
_REDIRECTS = range(300, 400)


@dataclass(frozen=True)
class Answer:
    """How a try went. `status` is None when no answer came; `error` then says why. `text` is how the body began."""

    status: int | None
    milliseconds: int
    text: str = ""
    error: str = ""

    @property
    def delivered(self) -> bool:
        """Whether the receiver took the message."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP: success

    @property
    def gone(self) -> bool:
        """Whether the receiver asks for no more messages, ever."""
        return self.status == _GONE


def post(url: str, headers: Mapping[bytes | str, bytes | str], body: bytes) -> Answer:
    """Post `body` once; never raises for what the receiver or the network does."""
    begun = time.monotonic()
    deadline = Deadline.after(ALL_SECONDS)
    status, text, error = None, "", ""
    try:
        status, text = _exchange(url, headers, body, deadline)
    except httpcore.TimeoutException:
        error = "no answer in time"
    except (httpcore.NetworkError, httpcore.ProtocolError, TargetRefused, OSError, ValueError) as problem:
        error = _printable(str(problem)) or type(problem).__name__
    if status in _REDIRECTS:
        error = "redirects are not followed: give the URL that they lead to"
    return Answer(status, round((time.monotonic() - begun) * 1000), text, error)


def _exchange(
    url: str, headers: Mapping[bytes | str, bytes | str], body: bytes, deadline: Deadline
) -> tuple[int, str]:
    timeouts = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": READ_SECONDS}
    with (
        httpcore.ConnectionPool(ssl_context=_trust(), network_backend=_Checked(deadline)) as pool,
        pool.stream("POST", url, headers=headers, content=body, extensions={"timeout": timeouts}) as answer,
    ):
        return answer.status, _beginning(answer, deadline.sooner(_BODY_SECONDS))


def _beginning(answer: httpcore.Response, deadline: Deadline) -> str:
    """Read how the body begins. The status counts, so a body that does not come is no error."""
    read = b""
    try:
        for part in answer.iter_stream():
            read += part
            if len(read) >= _MOST_BYTES or deadline.expired:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return _printable(read[:_MOST_BYTES].decode(errors="replace"))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text).strip()


@cache
def _trust() -> ssl.SSLContext:
    """Trust whom this host trusts; reading its certificates takes as long as a message."""
    return ssl.create_default_context()


class _Checked(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and lets nothing take longer than the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers."""
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        until = self._deadline.sooner(CONNECT_SECONDS)
        for address in addresses(host, port):
            try:
                stream = self._sockets.connect_tcp(address, port, _left(until, timeout), local_address)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return _Bounded(stream, self._deadline)
        raise last


class _Bounded(httpcore.NetworkStream):
    """A connection that is over at the deadline, however often a byte comes."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, as the connection does."""
        return self._inner.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all."""
        self._inner.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        """Close."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Turn to TLS; the certificate must be the host's, not the address's."""
        secured = self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout))
        return _Bounded(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Tell what the connection knows."""
        return self._inner.get_extra_info(info)


def _left(deadline: Deadline, timeout: float | None) -> float:
    """Give the seconds that a step may take; raises httpcore.ReadTimeout when none are left."""
    left = deadline.remaining() if timeout is None else min(timeout, deadline.remaining())
    if left <= 0:
        raise httpcore.ReadTimeout("no time left")
    return left
