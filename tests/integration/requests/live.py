"""The web application behind a real server, inside the test's process: real sockets, and what waits can be counted."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server

from mozpool_site.bridge import Receive, Scope, Send
from requests_app.waiting.watcher import watcher
from tests.servers.process import free_port

_SECONDS = 20.0


@dataclass
class Live:
    """A server that runs; `http` speaks to it from a trusted network. `in_hand` has an entry for each call."""

    http: httpx.Client
    loop: asyncio.AbstractEventLoop
    in_hand: list[int]

    def waiting(self) -> int:
        """Give how many wait in the server now."""

        async def count() -> int:
            return len(watcher())

        return asyncio.run_coroutine_threadsafe(count(), self.loop).result(_SECONDS)

    @contextmanager
    def stream(self, path: str, **headers: str) -> Iterator[Iterator[tuple[str, Any, str]]]:
        """Open a stream; give its events as name, data and id."""
        with self.http.stream("GET", path, headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"] == "text/event-stream"
            stream = events(answer.iter_lines())
            assert next(stream) == ("", ": what happens from now on is told", "")
            yield stream


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any, str]]:
    """Read server-sent events; a comment is an event without a name."""
    name, data, number = "", None, ""
    for line in lines:
        field, _, value = line.partition(": ")
        if line.startswith(":"):
            yield "", line, ""
        elif field == "event":
            name = value
        elif field == "data":
            data = json.loads(value)
        elif field == "id":
            number = value
        elif not line and name:
            yield name, data, number
            name, data, number = "", None, ""


def until(what: Callable[[], bool]) -> float:
    """Wait for something; give the seconds that it took."""
    begin = time.monotonic()
    while not what():
        assert time.monotonic() - begin < _SECONDS
        time.sleep(0.02)
    return time.monotonic() - begin


@contextmanager
def running() -> Iterator[Live]:
    """Run the application until the block ends."""
    from mozpool_site.asgi import application  # noqa: PLC0415 - Django has to be set up first

    port, started = free_port(), threading.Event()
    in_hand: list[int] = []
    made: list[tuple[asyncio.AbstractEventLoop, Server]] = []

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        in_hand.append(1)
        try:
            await application(scope, receive, send)
        finally:
            in_hand.pop()

    async def serve() -> None:
        # Without the life span: it listens to signals, which only a process's first thread can.
        server = Server(counted, port=port, interface=Interfaces.ASGINL, log_enabled=False)
        made.append((asyncio.get_running_loop(), server))
        started.set()
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="live server")
    thread.start()
    assert started.wait(_SECONDS)
    loop, server = made[0]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_SECONDS) as http:
            until(lambda: _answers(http))
            yield Live(http, loop, in_hand)
        # Calls whose clients have gone are ended in order, as they would be in a process that goes on.
        until(lambda: in_hand == [])
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join(_SECONDS)


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False
