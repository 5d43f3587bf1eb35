"""A real HTTP server that answers as NetBox does: pages with count and next, a token that is looked at, and faults."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

TOKEN = "0123456789abcdef0123456789abcdef01234567"
# NetBox gives no more at a time, however many are asked for (MAX_PAGE_SIZE).
MOST = 5


@dataclass
class Fault:
    """What goes wrong from `offset` on: `status` is answered, the answer is `cut`, `text` is in the place of JSON."""

    offset: int = 0
    status: int = 200
    cut: bool = False
    text: str | None = None


@dataclass
class NetBox:
    """What the server has, and what it was asked."""

    devices: list[dict[str, Any]] = field(default_factory=list)
    interfaces: list[dict[str, Any]] = field(default_factory=list)
    power_ports: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""
    # What it says that there are, where it lies.
    count: int | None = None
    next_host: str = ""
    most: int = MOST

    def add(self, number: int, **changed: Any) -> dict[str, Any]:
        """Add a device as a lab describes it, with its interface and its cable to a relay board."""
        device = {
            "id": number,
            "url": f"{self.url}/api/dcim/devices/{number}/",
            "name": f"panda-{number}",
            "display": f"panda-{number}",
            "device_type": {"id": 1, "manufacturer": {"id": 1, "slug": "panda"}, "slug": "es-b3"},
            "role": {"id": 1, "slug": "test-board"},
            "rack": {"id": 1, "name": "p1"},
            "status": {"value": "active", "label": "Active"},
            "primary_ip": {"id": number, "address": f"10.1.{number // 250}.{number % 250 + 1}/20"},
            "primary_ip4": {"id": number, "address": f"10.1.{number // 250}.{number % 250 + 1}/20"},
            "custom_fields": {"environment": "production"},
            "tags": [{"id": 1, "name": "HDMI", "slug": "hdmi"}],
            **changed,
        }
        self.devices.append(device)
        mac = f"02:00:00:00:{number // 256:02X}:{number % 256:02X}"
        of = {"id": number, "name": device["name"]}
        self.interfaces.append({"id": number, "name": "eth0", "device": of, "mac_address": mac})
        board, outlet = divmod(number - 1, 32)
        peer = {
            "id": number,
            "name": f"bank{outlet // 8 + 1}:relay{outlet % 8 + 1}",
            "device": {"id": 9000 + board, "name": f"relay-{board + 1}"},
        }
        self.power_ports.append({"id": number, "name": "psu", "device": of, "connected_endpoints": [peer]})
        return device


class Handler(BaseHTTPRequestHandler):
    """Answers one call out of `netbox`, which a subclass of its own has for each server."""

    protocol_version = "HTTP/1.1"
    netbox: NetBox

    def do_GET(self) -> None:
        netbox, parts = self.netbox, urlsplit(self.path)
        netbox.asked.append(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        word = parts.path.removeprefix("/api/dcim/").strip("/").replace("-", "_")
        rows: list[dict[str, Any]] | None = getattr(netbox, word, None)
        if self.headers.get("Authorization") != f"Token {TOKEN}":
            return self._send(403, {"detail": "Invalid token"})
        if rows is None:
            return self._send(404, {"detail": "Not found."})
        if "role" in query:
            rows = [row for row in rows if row["role"]["slug"] == query["role"]]
        fault = netbox.fault if word == "devices" else None
        return self._page(parts.path, query, rows, fault or Fault(offset=10**9))

    def _page(self, path: str, query: dict[str, str], rows: list[dict[str, Any]], fault: Fault) -> None:
        offset = int(query.get("offset", 0))
        limit = min(int(query.get("limit", 50)), self.netbox.most)
        if offset < fault.offset:
            fault = Fault()
        if fault.status != 200:
            return self._send(fault.status, {"detail": "NetBox is unwell"})
        if fault.text is not None:
            return self._write(200, fault.text.encode(), "text/html")
        following = urlencode({**query, "limit": limit, "offset": offset + limit})
        base = self.netbox.next_host or self.netbox.url
        answer = {
            "count": len(rows) if self.netbox.count is None else self.netbox.count,
            "next": f"{base}{path}?{following}" if offset + limit < len(rows) else None,
            "previous": None,
            "results": rows[offset : offset + limit],
        }
        return self._send(200, answer, cut=fault.cut)

    def _send(self, status: int, answer: Any, *, cut: bool = False) -> None:
        self._write(status, json.dumps(answer).encode(), "application/json", cut=cut)

    def _write(self, status: int, body: bytes, kind: str, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def running() -> Iterator[NetBox]:
    """Run a server of one's own."""
    netbox = NetBox()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (Handler,), {"netbox": netbox})) as server:
        netbox.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield netbox
        server.shutdown()
        thread.join()
