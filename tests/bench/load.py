"""Generates HTTP load from one thread, so cheaply that it measures the server and not itself.

Raw sockets with keep-alive; each connection sends its next request when the answer to the last one is there.
Run as a program it takes orders, as tests.bench.child has them.
"""

import json
import selectors
import socket
import time
from dataclasses import dataclass, field

from tests.bench.child import Order, serve

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
_SILENCE_SECONDS = 60.0
_CHUNK = 1 << 16


class LoadFailed(Exception):
    """The server closed a connection in the middle, or was silent; the message says which."""


@dataclass
class Client:
    """One keep-alive connection and what it is waiting for."""

    connection: socket.socket
    sent: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class Answer:
    """A status, the seconds from sending to the last byte, and the body."""

    status: int
    seconds: float
    body: bytes


class Load:
    """Sends `total` copies of one request over `clients` connections to a port of this machine."""

    def __init__(self, port: int, request: bytes, clients: int, total: int) -> None:
        self._request = request
        self._left = total
        self._answers: list[Answer] = []
        self._selector = selectors.DefaultSelector()
        self._total = total
        for _ in range(min(clients, total)):
            connection = socket.create_connection(("127.0.0.1", port), timeout=_SILENCE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(connection, selectors.EVENT_READ, Client(connection))

    def run(self) -> list[Answer]:
        """Send until every request is answered; raises LoadFailed."""
        for key in list(self._selector.get_map().values()):
            self._send(key.data)
        while len(self._answers) < self._total:
            ready = self._selector.select(_SILENCE_SECONDS)
            if not ready:
                raise LoadFailed(f"no answer within {_SILENCE_SECONDS:g} s")
            for key, _ in ready:
                self._receive(key.data)
        for key in list(self._selector.get_map().values()):
            key.data.connection.close()
        self._selector.close()
        return self._answers

    def _send(self, client: Client) -> None:
        if self._left > 0:
            self._left -= 1
            client.sent = time.perf_counter()
            client.connection.sendall(self._request)

    def _receive(self, client: Client) -> None:
        chunk = client.connection.recv(_CHUNK)
        if not chunk:
            raise LoadFailed(f"the server closed a connection; it had sent {bytes(client.buffer[:200])!r}")
        client.buffer += chunk
        whole = _take(client.buffer)
        if whole is not None:
            status, body = whole
            self._answers.append(Answer(status, time.perf_counter() - client.sent, body))
            self._send(client)


def _take(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take one whole answer off the buffer: status and body; None until it is there."""
    head_end = buffer.find(_END_OF_HEAD)
    if head_end < 0:
        return None
    head = bytes(buffer[:head_end]).lower()
    start = head.find(_LENGTH)
    if start < 0:
        raise LoadFailed(f"an answer without Content-Length: {head[:200]!r}")
    length = int(head[start + len(_LENGTH) :].partition(b"\r\n")[0])
    end = head_end + len(_END_OF_HEAD) + length
    if len(buffer) < end:
        return None
    status, body = int(head.split(b" ", 2)[1]), bytes(buffer[end - length : end])
    del buffer[:end]
    return status, body


def post(path: str, body: object, port: int) -> bytes:
    """Write a POST of JSON as HTTP/1.1 has it."""
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + content


def get(path: str, port: int) -> bytes:
    """Write a GET as HTTP/1.1 has it."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode("ascii")


def answer(order: Order) -> Order:
    """Carry out {port, path, clients, total, body}; give what came back, and what share of a core we used.

    Without a body it is a GET, and of what came back only the sizes are given.
    """
    body = order.get("body")
    request = get(order["path"], order["port"]) if body is None else post(order["path"], body, order["port"])
    load = Load(order["port"], request, order["clients"], order["total"])
    begun, worked = time.perf_counter(), time.process_time()
    answers = load.run()
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "core": (time.process_time() - worked) / seconds,
        "statuses": [item.status for item in answers],
        "times": [item.seconds for item in answers],
        "sizes": [len(item.body) for item in answers],
        "bodies": [] if body is None else [item.body.decode() for item in answers],
    }


if __name__ == "__main__":
    serve(answer)
