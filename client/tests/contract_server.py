"""A small server that speaks the v2 contract over real sockets, and fails in the ways that a test asks for."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from command import until
from mozpool_client import Mozpool

NOW = "2026-11-22T13:55:23.527520Z"


class Connect(Protocol):
    """Makes a client that ends with the test."""

    def __call__(self, servers: list[str], *words: Any, **options: Any) -> Mozpool: ...


@dataclass(frozen=True)
class Seen:
    """A call that came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Fault:
    """What to do with the next call instead: answer with a status, or (0) close the connection.

    `after`: the call is carried out first, so that only its answer is lost.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    body: bytes | None = None


class ContractServer(ThreadingHTTPServer):
    """The pool behind one address; a request is ready at once, or (`ready_at_once` is False) when a test moves it.

    `renewed_in`: the state of a request at each renewal. `answers_filing`: cleared, a filing is done but not answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "http"
        self.calls: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.requests: dict[int, dict[str, Any]] = {}
        self.journal: list[dict[str, Any]] = []
        self.keys: dict[str, int] = {}
        self.renewed_in: list[str] = []
        self.changed = threading.Condition()
        self.ready_at_once = True
        self.answers_filing = threading.Event()
        self.answers_filing.set()
        self.waits = True
        self.streams_broken = 0
        self.streams_begun = 0
        self.break_stream_after: int | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def move(self, number: int, state: str, device: str | None = "panda-0001") -> None:
        """Bring a request to a state, with a device if it has one then."""
        with self.changed:
            row = self.requests[number]
            row["state"] = state
            row["state_seq"] += 1
            if state == "ready":
                row.update(ready_at=NOW, waiting=None, waits_until=None, expires=_moment(row["duration"]))
                row["device"] = device and _held(device, self.url)
            if state == "finding_device":
                row["device"] = None
            if state.startswith(("closed", "failed")):
                row.update(ended=NOW, device=None, seconds_left=0)
            self.note(f"entering state {state}", number)
            self.changed.notify_all()

    def note(self, message: str, request: int | None = None, device: str | None = None) -> None:
        """Append a line to the journal."""
        with self.changed:
            line = {"id": len(self.journal) + 1, "time": NOW, "device": device, "request": request}
            rest = {"source": "machine", "actor": "", "event": "", "from_state": "", "to_state": ""}
            self.journal.append({**line, **rest, "message": message})
            self.changed.notify_all()

    def states(self) -> list[str]:
        """Give the states of all requests, in the order in which they were filed."""
        return [row["state"] for row in self.requests.values()]

    def paths(self, method: str) -> list[str]:
        """Give the paths that were called by a method."""
        return [seen.path for seen in self.calls if seen.method == method]

    def wait_for_stream(self) -> None:
        """Wait until somebody follows: what is noted before is no news to them."""
        assert until(lambda: bool(self.streams_begun)), "nobody came to follow"

    def wait_until(self, seconds: float, state: str) -> bool:
        """Wait until every request is in a state."""
        with self.changed:
            return self.changed.wait_for(lambda: set(self.states()) == {state}, seconds)

    def file(self, body: dict[str, Any], key: str | None) -> int:
        """File a request, once for each key."""
        with self.changed:
            if key is not None and key in self.keys:
                return self.keys[key]
            number = len(self.requests) + 1
            if key is not None:
                self.keys[key] = number
            self.requests[number] = _request(number, body, self.url)
            self.note("entering state finding_device", number)
        if self.ready_at_once:
            self.move(number, "ready")
        return number

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away: tests kill them on purpose."""


def _moment(seconds: float) -> str:
    """Write the moment in so many seconds."""
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def _request(number: int, body: dict[str, Any], url: str) -> dict[str, Any]:
    return {
        "id": number,
        "url": f"{url}/api/v2/requests/{number}/",
        "state": "finding_device",
        "state_seq": 1,
        "state_since": NOW,
        "created": NOW,
        "waits_until": _moment(body.get("max_wait", 86400)),
        "duration": body.get("duration", 3600),
        "expires": None,
        "seconds_left": body.get("duration", 3600),
        "ready_at": None,
        "ended": None,
        "image": body["image"],
        "boot_config": body.get("boot_config", {}),
        "requested_device": body.get("device"),
        "device": None,
        "last_device": None,
        "environment": body.get("environment", "any"),
        "hardware": body.get("hardware"),
        "tags": body.get("tags", []),
        "assignee": body.get("assignee", "tester"),
        "owner": "tester",
        "priority": 0,
        "waiting": {
            "reason": "all_busy",
            "detail": "every device that fits is in use",
            "place": 2,
            "estimate_seconds": 90,
        },
    }


def _held(name: str, url: str) -> dict[str, Any]:
    fqdn = f"{name}.p1.example.com"
    there = {"name": name, "fqdn": fqdn, "address": "10.1.0.1", "state": "ready"}
    return {**there, "url": f"{url}/api/v2/devices/{name}/"}


def _device(name: str, url: str) -> dict[str, Any]:
    rest = {"mac": "0123456789ab", "rack": "p1", "hardware_type": "panda", "environment": "staging"}
    state = {"state_seq": 3, "state_since": NOW, "health": "good", "image": "b2g", "request": None}
    return {**_held(name, url), **rest, **state, "tags": [], "comments": "", "idle_since": NOW}


def _not_found(detail: str) -> tuple[int, Any]:
    return 404, {"code": "not_found", "title": "Not found", "status": 404, "detail": detail}


class _Handler(BaseHTTPRequestHandler):
    server: ContractServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._serve(json.loads(self.rfile.read(length) or b"null"))

    def log_message(self, *words: Any) -> None:
        pass

    def _serve(self, body: Any) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path, parse_qs(parts.query), headers, body)
        self.server.calls.append(seen)
        fault = self.server.faults.popleft() if self.server.faults else None
        if fault is not None and not fault.after:
            self._fail(fault)
            return
        status, answer = self._route(seen)
        if fault is not None:
            self._fail(fault)
        elif status:
            self._answer(status, answer)

    def _fail(self, fault: Fault) -> None:
        if not fault.status:
            self.close_connection = True
            return
        problem = {"code": "unavailable", "title": "Away", "status": fault.status, "detail": "told to fail"}
        body = json.dumps(problem).encode() if fault.body is None else fault.body
        self._raw(fault.status, body, fault.headers)

    def _route(self, seen: Seen) -> tuple[int, Any]:  # noqa: C901, PLR0911 -- one line for each path
        words = seen.path.removeprefix("/api/v2/").strip("/").split("/")
        if words == ["requests"] and seen.method == "POST":
            return self._file(seen)
        if words[0] == "requests" and len(words) > 1:
            return self._one_request(seen, int(words[1]), words[2:])
        if words == ["requests"]:
            return self._page(seen, list(self.server.requests.values()))
        if words == ["devices"]:
            return self._page(seen, [_device(f"panda-{n:04}", self.server.url) for n in range(1, 8)])
        if words[0] == "devices" and words[2:] == ["power-cycle"]:
            return 202, {"operation": self._operation(words[1])}
        if words[0] == "devices" and words[2:] == ["journal"]:
            return self._page(
                seen, [line for line in reversed(self.server.journal) if line["device"] == words[1]]
            )
        if words == ["operations", "7"]:
            return 200, {**self._operation("panda-0001"), "status": "done"}
        if words == ["login"]:
            return self._login(seen)
        if words == ["events"]:
            return self._stream(lambda line: line["device"] == seen.query["device"][0], None)
        if words == ["images"]:
            return self._page(seen, [{"name": "b2g", "boot_config_keys": ["b2gbase"], "reusable": True}])
        if words == ["whoami"]:
            return 200, {"name": "tester", "role": "requester", "by": "network", "token": None}
        return _not_found("there is no such path")

    def _login(self, seen: Seen) -> tuple[int, Any]:
        if (seen.body["username"], seen.body["password"]) != ("ada", "secret words"):
            detail = "name or password is wrong"
            return 401, {"code": "not_authenticated", "title": "Who?", "status": 401, "detail": detail}
        return 201, {"token": "mzp_made", "name": "ada", "role": "operator", "expires": NOW}

    def _operation(self, device: str) -> dict[str, Any]:
        return {"id": 7, "device": device, "kind": "power_cycle", "status": "queued", "finished": None}

    def _file(self, seen: Seen) -> tuple[int, Any]:
        body = seen.body
        if body["image"] == "unheard-of":
            return 400, {
                "code": "invalid",
                "title": "Invalid",
                "status": 400,
                "detail": "there is no image 'unheard-of'",
                "field": "image",
                "errors": [{"field": "image", "detail": "there is no image 'unheard-of'"}],
            }
        if "impossible" in body.get("tags", ()):
            detail = "no device has the tag impossible"
            return 422, {"code": "impossible", "title": "Impossible", "status": 422, "detail": detail}
        number = self.server.file(body, seen.headers.get("idempotency-key"))
        row = self.server.requests[number]
        self.server.answers_filing.wait(60)
        if body.get("device") == "taken":
            self.server.move(number, "failed_device_busy")
            problem = {"code": "conflict", "title": "Taken", "status": 409, "detail": "taken"}
            return 409, {**problem, "request": row}
        return 201, row

    def _one_request(self, seen: Seen, number: int, rest: list[str]) -> tuple[int, Any]:
        server = self.server
        if number not in server.requests:
            return _not_found(f"there is no request {number}")
        row = server.requests[number]
        if rest == ["return"] and row["ended"] is None:
            server.move(number, "closed")
        if rest == ["renew"]:
            if row["ended"] is not None:
                detail = f"request {number} has ended"
                return 409, {"code": "conflict", "title": "Ended", "status": 409, "detail": detail}
            row["seconds_left"] = seen.body["duration"]
            server.renewed_in.append(row["state"])
        if rest == ["journal"]:
            return self._page(seen, [line for line in server.journal if line["request"] == number])
        if rest == ["events"]:
            return self._stream(lambda line: line["request"] == number, number)
        if "wait" in seen.query and server.waits:
            at = int(seen.query.get("state_seq", [row["state_seq"]])[0])
            with server.changed:
                server.changed.wait_for(lambda: row["state_seq"] != at, float(seen.query["wait"][0]))
        return 200, row

    def _page(self, seen: Seen, rows: list[Any]) -> tuple[int, Any]:
        # Pages of three, so that a list has several.
        start = int(seen.query.get("cursor", ["0"])[0])
        more = (
            f"https://elsewhere.example{seen.path}?cursor={start + 3}&limit=3"
            if len(rows) > start + 3
            else None
        )
        return 200, {"next": more, "previous": None, "results": rows[start : start + 3]}

    def _stream(self, concerns: Any, number: int | None) -> tuple[int, Any]:
        server = self.server
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        resume = self.headers.get("Last-Event-ID")
        # Who comes for the first time is told only what is new.
        told = len(server.journal) if resume is None else int(resume)
        server.streams_begun += 1
        seq = None
        sent = 0
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with server.changed:
                lines = [line for line in server.journal if line["id"] > told and concerns(line)]
                row = None if number is None else dict(server.requests[number])
            if row is not None and row["state_seq"] != seq:
                seq = row["state_seq"]
                self._event("state", None, row)
            for line in lines:
                told = line["id"]
                # As the real one: a line may come again after a break, for its event names an earlier number.
                self._event("journal", max(0, told - 1), line)
                sent += 1
                if server.break_stream_after == sent:
                    server.break_stream_after = None
                    server.streams_broken += 1
                    return 0, None
            if row is not None and row["ended"] is not None:
                return 0, None
            self.wfile.write(b": heartbeat\n\n")
            with server.changed:
                server.changed.wait(0.05)
        return 0, None

    def _event(self, name: str, number: int | None, data: Any) -> None:
        mark = "" if number is None else f"id: {number}\n"
        self.wfile.write(f"event: {name}\n{mark}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode())

    def _answer(self, status: int, answer: Any) -> None:
        kind = "application/problem+json" if status >= 400 else "application/json"
        self._raw(status, json.dumps(answer).encode(), {"Content-Type": kind})

    def _raw(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[ContractServer]:
    """Run a server for the length of a `with`; by HTTPS with a context."""
    server = ContractServer()
    if tls is not None:
        # The handshake is done by the first read, in the thread of the connection.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
