"""A board's calls to the server: HTTP/1.1 over a socket from its own address, tried again as scripts do."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try; together they outlast the restart of a database."""
LONGEST_RETRY_AFTER = 10.0
ANSWER_TIMEOUT = 30.0
LARGEST_BODY = 1 << 20


class CallFailed(Exception):
    """The server refused a call, or could not be reached in several tries."""


class BadAnswer(Exception):
    """The server's bytes are no HTTP answer that this client reads."""


@dataclass(frozen=True)
class Answer:
    """A status, headers with lower-case names, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class CallCounters:
    """Calls of all boards of one process: answered well, tried again, given up."""

    answered: int = 0
    tried_again: int = 0
    failed: int = 0

    def reset(self) -> None:
        """Back to zero."""
        self.answered = self.tried_again = self.failed = 0


class Caller:
    """Makes the calls of one board."""

    def __init__(self, source: str, counters: CallCounters, delays: Sequence[float] = RETRY_DELAYS) -> None:
        self._source = source
        self._delays = delays
        self._counters = counters

    async def get(self, url: str) -> bytes:
        """The body of a 200 answer; CallFailed else."""
        return await self._call("GET", url)

    async def post(self, url: str) -> bytes:
        """Posts an empty JSON object; the body of a 200 answer; CallFailed else."""
        return await self._call("POST", url)

    async def _call(self, method: str, url: str) -> bytes:
        failure = ""
        for delay in (*self._delays, None):
            try:
                answer = await self._exchange(method, url)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, BadAnswer) as error:
                failure, wait = f"{type(error).__name__}: {error}", 0.0
            else:
                if answer.status == HTTPStatus.OK:
                    self._counters.answered += 1
                    return answer.body
                failure, wait = f"status {answer.status}", _retry_after(answer)
                if not _may_pass(answer.status):
                    break
            if delay is not None:
                self._counters.tried_again += 1
                await asyncio.sleep(max(delay, wait))
        self._counters.failed += 1
        raise CallFailed(f"{method} {urlsplit(url).path.rpartition('/')[2]}: {failure}")

    async def _exchange(self, method: str, url: str) -> Answer:
        parts = urlsplit(url)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            reader, writer = await asyncio.open_connection(
                parts.hostname, parts.port or 80, local_addr=(self._source, 0)
            )
            try:
                writer.write(_request(method, parts.path, parts.netloc))
                return await _read_answer(reader)
            finally:
                writer.transport.abort()


def _request(method: str, path: str, host: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: simlab", "Connection: close"]
    body = b""
    if method == "POST":
        body = b"{}"
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _may_pass(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), LONGEST_RETRY_AFTER) if text.isdecimal() else 0.0


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, _, rest = head[0].partition(" ")
    status = rest.partition(" ")[0]
    if not version.startswith("HTTP/1.") or not status.isdecimal():
        raise BadAnswer(f"no HTTP status line: {head[0][:60]!r}")
    headers: dict[str, str] = {}
    for line in head[1:-2]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Answer(int(status), headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader)
    length = headers.get("content-length")
    if length is None:
        # No length: the answer ends with the connection, since we asked for Connection: close.
        body = await reader.read(LARGEST_BODY)
        while more := await reader.read(LARGEST_BODY):
            body = _bounded(body, len(more)) + more
        return body
    if not length.isdecimal():
        raise BadAnswer(f"Content-Length: {length}")
    _bounded(b"", int(length))
    return await reader.readexactly(int(length))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError as error:
            raise BadAnswer(f"no chunk size: {line[:60]!r}") from error
        _bounded(body, size)
        body += (await reader.readexactly(size + 2))[:size]
        if size == 0:
            return body


def _bounded(body: bytes, more: int) -> bytes:
    if len(body) + more > LARGEST_BODY:
        raise BadAnswer(f"a body of more than {LARGEST_BODY} bytes")
    return body
