"""Plain HTTP calls that note how long each took and what came back."""

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeGuard

# Longer than any answer may take; a call that lasts longer counts as lost.
_TIMEOUT_SECONDS = 30.0


class HttpError(Exception):
    """The server refused what it should have done."""


@dataclass(frozen=True)
class Call:
    """One exchange: monotonic time when it began, its seconds, the status (0: no answer), and what was called."""

    began: float
    seconds: float
    status: int
    kind: str
    retry_after: str | None = None


@dataclass(frozen=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


class Http:
    """A client with one connection, which is made again when it breaks."""

    def __init__(self, port: int, calls: list[Call]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
        self._calls = calls

    def call(self, method: str, path: str, body: object = None) -> Answer | None:
        """Make a call; None when no answer came. Raises HttpError for a status other than 2xx and 503."""
        began = time.monotonic()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = self._connection.getresponse()
            answer = Answer(response.status, response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._note(began, path, 0, None)
            return None
        self._note(began, path, answer.status, response.headers.get("Retry-After"))
        if answer.status >= HTTPStatus.BAD_REQUEST and answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise HttpError(f"{method} {path}: {answer.status} {answer.body[:200]!r}")
        return answer

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _note(self, began: float, path: str, status: int, retry_after: str | None) -> None:
        kind = path.partition("?")[0].rstrip("/").rpartition("/")[2]
        self._calls.append(Call(began, time.monotonic() - began, status, kind, retry_after))


def answered_well(answer: Answer | None) -> TypeGuard[Answer]:
    """Whether an answer came, and the database was there for it."""
    return answer is not None and answer.status != HTTPStatus.SERVICE_UNAVAILABLE


def latencies(calls: Sequence[Call]) -> str:
    """Tell the milliseconds that each kind of call took: median and 99th percentile."""
    parts = []
    for kind in sorted({call.kind for call in calls}):
        seconds = [call.seconds for call in calls if call.kind == kind]
        p50, p99 = (1000 * percentile(seconds, share) for share in (0.5, 0.99))
        parts.append(f"{kind} {len(seconds)}x p50 {p50:.0f} p99 {p99:.0f} ms")
    return "; ".join(parts)


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below which that share of the values lies; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
