"""A tiny real HTTP server that stands for the web process: it answers a board's calls and writes down each."""

import json
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

TOKEN = "abcdefghijklmnopqrstuv"


@dataclass(frozen=True)
class Call:
    """One call of a board, with the address that it came from."""

    source: str
    method: str
    path: str

    @property
    def what(self) -> str:
        """The part of the path behind the device's base."""
        return self.path.split(TOKEN, 1)[1].lstrip("/")


@dataclass
class Web:
    """What the server answers; tests change it as they need."""

    tftp_root: Path
    action: str = "install"
    image: str = "b2g"
    config: str = '{"b2gbase": "http://127.0.0.1/build"}'
    chunked: bool = False
    removes_boot_files: bool = True
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answered in this order before anything else: a status, and headers."""
    calls: list[Call] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.web = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._server.server_address[1])

    def base(self, device: str) -> str:
        """The URL that a device's calls start with."""
        return f"http://127.0.0.1:{self.port}/boot/{device}/{TOKEN}"

    def write_boot_file(self, device: str, mac: str) -> None:
        """What the server writes before it cycles a device into the network."""
        path = self.boot_file(mac)
        path.parent.mkdir(exist_ok=True)
        kernel_line = f"console=ttyO2 mobile-imaging-url={self.base(device)}/second-stage"
        text = f"DEFAULT install\nLABEL install\n  KERNEL vmlinuz\n  INITRD live.gz\n  APPEND {kernel_line}\n"
        path.write_text(text, encoding="utf-8")

    def boot_file(self, mac: str) -> Path:
        """Where a device's boot file lies."""
        return self.tftp_root / "pxelinux.cfg" / f"01-{'-'.join(mac[i : i + 2] for i in range(0, 12, 2))}"

    def heard(self) -> list[str]:
        """The calls so far: method and what, in order."""
        return [f"{call.method} {call.what}" for call in self.calls]

    def answer(self, call: Call) -> tuple[int, dict[str, str], str]:
        """Status, headers and body for a call."""
        self.calls.append(call)
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return status, headers, '{"error": "refused"}'
        if call.what == "event/mobile_init_started" and self.removes_boot_files:
            for path in (self.tftp_root / "pxelinux.cfg").iterdir():
                path.unlink()
        match call.what:
            case "second-stage":
                base = f"http://127.0.0.1:{self.port}{call.path.removesuffix('/second-stage')}"
                return 200, {"Content-Type": "text/x-shellscript"}, self._script(base)
            case "config":
                return 200, {"Content-Type": "application/json"}, self.config
        return 200, {"Content-Type": "application/json"}, json.dumps({})

    def _script(self, base: str) -> str:
        settings = {"URL": base, "ACTION": self.action, "IMAGE": self.image}
        return "#!/bin/sh\n" + "".join(f"MOZPOOL_{name}='{value}'\n" for name, value in settings.items())


class _Server(ThreadingHTTPServer):
    # A whole rack calls home at once; with the usual 5 most of it would wait for TCP to try again.
    request_queue_size = 256
    web: Web

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a board that lost its power in the middle of a call; show everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as it came


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer what a board fetches."""
        self._answer()

    def do_POST(self) -> None:
        """Answer what a board reports."""
        json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer()

    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        web = self.server.web
        status, headers, text = web.answer(Call(self.client_address[0], self.command, self.path))
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if web.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in (body[:1], body[1:]):
                if chunk:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""
