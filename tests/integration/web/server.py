"""A web server of its own for a test: `python -m mozpool_site.serve` on a free port, over a database in a folder."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.servers.process import die_with_parent, free_port

ROOT = Path(__file__).resolve().parents[3]
_SECONDS = 30.0
_SEED = """
from devices.models import Device, HardwareType, Rack
rack = Rack.objects.create(name="a", imaging_server="localhost", address="127.0.0.1")
panda = HardwareType.objects.create(kind="panda", model="es")
Device.objects.create(name="panda-1", fqdn="panda-1.test", mac="0" * 12, rack=rack, hardware_type=panda,
    environment="e", state="ready")
"""


@dataclass
class WebServer:
    """A running server, and how to talk to it byte by byte."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def workers(self) -> set[int]:
        """The ids of its web processes."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=_SECONDS)

    def told(self, request: bytes) -> "Answer":
        """Send bytes over a new connection and read the answer that they get."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_answer(connection)

    def get(self, path: str, *headers: str) -> "Answer":
        """Ask for a path."""
        return self.told(head("GET", path, *headers))


@dataclass(frozen=True)
class Answer:
    """What came back: the headers' names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def head(method: str, path: str, *headers: str) -> bytes:
    """Write the head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode("latin-1")


def read_answer(connection: socket.socket, *, has_body: bool = True) -> Answer:
    """Read one answer with a Content-Length."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    headers: dict[str, str] = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0"))) if has_body else b""
    return Answer(status, headers, body)


def variables(folder: Path, **more: str) -> dict[str, str]:
    """Give the environment of a server as an operator sets it up, over SQLite in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOZPOOL_")}
    return {
        **kept,
        "MOZPOOL_SECRET_KEY": "0123456789abcdef" * 5,
        "MOZPOOL_HTTPS": "false",
        "MOZPOOL_BASE_URL": "http://127.0.0.1:8000",
        "MOZPOOL_TRUSTED_NETWORKS": "127.0.0.1/32",
        "MOZPOOL_BROKER_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        **more,
    }


def seed(environment: Mapping[str, str]) -> None:
    """Make the tables and a device."""
    for words in (("migrate", "-v0"), ("shell", "-v0", "-c", _SEED)):
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=dict(environment), check=True)


@contextmanager
def serving(environment: Mapping[str, str], log: Path) -> Iterator[WebServer]:
    """Run a server until the block ends."""
    port = free_port()
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mozpool_site.serve", "--bind", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env=dict(environment),
            stdout=file,
            stderr=file,
            preexec_fn=die_with_parent(),
        )
    server = WebServer(process, port, log)
    try:
        until(lambda: log.read_text().count("Started worker") == 2 and answers(server), log)
        yield server
    finally:
        for child in psutil.Process(process.pid).children() if process.poll() is None else []:
            child.kill()
        process.kill()
        process.wait()


def answers(server: WebServer) -> bool:
    """Whether the server is there for a call."""
    try:
        return server.get("/healthz").status == 200
    except (OSError, IndexError):
        return False


def until(what: Callable[[], bool], log: Path) -> None:
    """Wait for something."""
    end = time.monotonic() + _SECONDS
    while not what():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
