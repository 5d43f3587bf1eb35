"""One TCP connection on which every step obeys a deadline and every failure says who failed."""

import socket
from typing import Self

from bmm.deadline import Deadline
from bmm.drivers.address import resolve
from bmm.errors import OutOfTime, Unreachable


class Wire:
    """An open TCP connection; made by `Wire.connect`, closed by `close` or at the end of a `with`."""

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self._sock = sock
        self.peer = peer

    @classmethod
    def connect(cls, host: str, port: int, deadline: Deadline) -> Self:
        """Connect to a host name or IPv4 address; raises Unreachable, OutOfTime or Misconfigured."""
        peer = f"{host}:{port}"
        address = resolve(host, deadline)
        try:
            sock = socket.create_connection((address, port), timeout=deadline.check(f"connecting to {peer}"))
        except TimeoutError as error:
            raise OutOfTime(f"{peer} did not accept the connection in time") from error
        except OSError as error:
            raise Unreachable(f"{peer}: {error.strerror or error}") from error
        # Commands are a few bytes each and wait for their answer: gathering them would only delay them.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, peer)

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of the data; raises Unreachable or OutOfTime."""
        self._sock.settimeout(deadline.check(f"sending to {self.peer}"))
        try:
            self._sock.sendall(data)
        except TimeoutError as error:
            raise OutOfTime(f"{self.peer} did not take what was sent in time") from error
        except OSError as error:
            raise Unreachable(f"{self.peer}: {error.strerror or error}") from error

    def receive(self, most: int, deadline: Deadline) -> bytes:
        """Give the next bytes, at least one and at most `most`; a closed connection raises Unreachable."""
        self._sock.settimeout(deadline.check(f"waiting for {self.peer}"))
        try:
            data = self._sock.recv(most)
        except TimeoutError as error:
            raise OutOfTime(f"{self.peer} did not answer in time") from error
        except OSError as error:
            raise Unreachable(f"{self.peer}: {error.strerror or error}") from error
        if not data:
            raise Unreachable(f"{self.peer} closed the connection")
        return data

    def close(self) -> None:
        """Close the connection; closing twice does no harm."""
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
