"""Runs a WSGI application behind an ASGI server: each call in one of a fixed number of threads, its body read before.

A slow sender or a slow reader holds no thread. Answers are whole: what streams or waits belongs to the other side of
asgi.py.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# A WSGI application: environment and start_response in, chunks of the body out (PEP 3333).
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]

# Bytes of a body that the application may see: one more than it allows (DATA_UPLOAD_MAX_MEMORY_SIZE), so that it
# refuses what is longer; and what a form with a file may have, which only the administration takes.
_MOST_BODY = (64 << 10) + 1
_MOST_UPLOAD = 1 << 20
_UPLOADS = b"/admin/"
# Bytes of all bodies that a process keeps while they come, before a thread is free for them.
_MOST_IN_ALL = 32 << 20
# A sender who is over that is listened to for so much longer, or a reset would swallow the answer.
_MOST_SWALLOWED = 32 << 20
_BODY_SECONDS = 30.0
_TOO_SLOW = b'{"error": "timeout", "detail": "the body did not come within 30 s", "field": "body"}'
_TOO_MUCH = (
    b'{"error": "unavailable", "detail": "too much is being sent at once; try again", "field": "body"}'
)
_REFUSED_HEADERS = [(b"content-type", b"application/json; charset=utf-8"), (b"connection", b"close")]
_SAME_FOR_ALL: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


class _TooMuchError(Exception):
    """All bodies together are more than this process keeps."""


class Bridge:
    """An ASGI application that serves a WSGI one with so many threads; further calls wait for their turn."""

    def __init__(self, application: Wsgi, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._kept = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call of HTTP."""
        body = bytearray()
        try:
            if scope["method"] not in ("GET", "HEAD") or _has_body(scope):
                # Not wait_for: in Python 3.11 it may forget that it was cancelled.
                async with asyncio.timeout(_BODY_SECONDS):
                    if not await self._take(body, _most(scope), receive):
                        return
            loop = asyncio.get_running_loop()
            variables = environ(scope, bytes(body))
            status, headers, content = await loop.run_in_executor(self._pool, self._serve, variables)
        except TimeoutError:
            status, headers, content = 408, _REFUSED_HEADERS, _TOO_SLOW
        except _TooMuchError:
            status, headers, content = 503, [*_REFUSED_HEADERS, (b"retry-after", b"2")], _TOO_MUCH
        finally:
            self._kept -= len(body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _take(self, body: bytearray, most: int, receive: Receive) -> bool:
        """Read a body, and forget what is beyond our limits; False when the sender went away."""
        swallowed = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return False
            chunk = message.get("body", b"")
            kept = chunk[: most - len(body)]
            if self._kept + len(kept) > _MOST_IN_ALL:
                raise _TooMuchError
            self._kept += len(kept)
            body += kept
            swallowed += len(chunk) - len(kept)
            if not message.get("more_body", False) or swallowed > _MOST_SWALLOWED:
                return True

    def _serve(self, variables: dict[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Call the application, in a thread."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            started[:] = [(status, headers)]

        chunks = self._application(variables, start)
        try:
            content = b"".join(chunks)
        finally:
            # Ends Django's request: old connections to the database are closed in the thread that has them.
            chunks.close()
        status, headers = started[0]
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return int(status[:3]), encoded, content


def environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """Write an ASGI scope as WSGI's environment.

    The peer's address is the connection's own. Headers with an underscore are left out: their names would be
    the same as those with a hyphen, which a proxy may have set or removed (X_Forwarded_For).
    """
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("", 0)
    variables = {
        **_SAME_FOR_ALL,
        "REQUEST_METHOD": scope["method"],
        # WSGI wants the bytes of the path as latin-1, also where they are no UTF-8.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
    }
    for raw_name, raw_value in scope["headers"]:
        # The server makes an empty Host of none.
        if b"_" in raw_name or (raw_name, raw_value) == (b"host", b""):
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        before = variables.get(name)
        separator = "; " if name == "HTTP_COOKIE" else ","
        variables[name] = value if before is None else f"{before}{separator}{value}"
    return variables


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _most(scope: Scope) -> int:
    form = (b"content-type", b"multipart/form-data")
    uploads = any((name, value.partition(b";")[0].strip()) == form for name, value in scope["headers"])
    return _MOST_UPLOAD if uploads and scope["raw_path"].startswith(_UPLOADS) else _MOST_BODY
