"""A receiver of webhooks on a real socket, which does to each call what it was told to, and keeps all that it got."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Got:
    """One call."""

    path: str
    headers: dict[str, str]
    raw: bytes
    at: float

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.raw)
        return body

    @property
    def event(self) -> str:
        return str(self.body["event"])

    def is_signed_with(self, secret: str) -> bool:
        """Verify as Standard Webhooks says; written from its specification, not from our code."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.raw
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        fresh = abs(time.time() - int(self.headers["webhook-timestamp"])) < 300
        return fresh and hmac.compare_digest(self.headers["webhook-signature"], f"v1,{expected}")


Behaviour = Callable[["_Handler"], None]


def answering(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer with a status."""

    def behave(handler: "_Handler") -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def closing(handler: "_Handler") -> None:
    """Close the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def hanging(handler: "_Handler") -> None:
    """Say nothing for as long as the test takes."""
    handler.receiver.over.wait(60)


def flooding(handler: "_Handler") -> None:
    """Answer 200 with a body that has no end."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
    while not handler.receiver.over.is_set():
        handler.wfile.write(b"x" * 65536)
        handler.receiver.flood += 65536


def dripping_body(handler: "_Handler") -> None:
    """Answer 200 at once, and the body a byte at a time."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
    while not handler.receiver.over.wait(0.1):
        handler.wfile.write(b"y")


def dripping_header(handler: "_Handler") -> None:
    """Begin to answer, and never come to the end of the header."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
    while not handler.receiver.over.wait(0.1):
        handler.wfile.write(b"z")


@dataclass
class Receiver:
    """A receiver; `then` says what the next calls meet, one behaviour each, and all others `otherwise`."""

    otherwise: Behaviour = field(default_factory=lambda: answering(200, b"thanks"))
    then: deque[Behaviour] = field(default_factory=deque)
    got: list[Got] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    flood: int = 0

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.receiver = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @property
    def events(self) -> list[str]:
        return [got.event for got in self.got]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def receiver(self) -> Receiver:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        return receiver

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver = self.receiver
        receiver.got.append(Got(self.path, headers, raw, time.monotonic()))
        behave = receiver.then.popleft() if receiver.then else receiver.otherwise
        self.close_connection = True
        with suppress(OSError):  # the sender may have heard enough
            behave(self)

    def do_GET(self) -> None:
        self.receiver.got.append(Got(self.path, {}, b'{"event": "GET"}', time.monotonic()))
        answering(200)(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep still."""
