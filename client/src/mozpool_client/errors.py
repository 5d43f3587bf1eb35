"""What can go wrong when a pool is asked, named by what the caller should do about it.

Every class carries the exit status that the command `mozpool` ends with: 1 when the world is not as the call
assumes, 2 when the call itself is wrong, 3 when no server can answer now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from mozpool_client.models import Request


@dataclass(frozen=True)
class FieldProblem:
    """One wrong value of a call: which, and what is wrong with it."""

    field: str
    detail: str


class MozpoolError(Exception):
    """Something that a call to the pool met. `detail` says what; `code` is the server's word for it, or ours."""

    exit_status: ClassVar[int] = 1
    advice: ClassVar[str] = ""

    def __init__(self, detail: str, *, code: str = "error", status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status

    def __str__(self) -> str:
        return f"{self.detail} ({self.advice})" if self.advice else self.detail


class NotAuthenticated(MozpoolError):
    """The pool does not know who calls: log in, or give a token that is still good."""

    exit_status = 2
    advice = "run `mozpool login`, or set MOZPOOL_TOKEN"


class NotAllowed(MozpoolError):
    """The caller may not do this: ask somebody who may, or use another token."""

    exit_status = 1


class NotFound(MozpoolError):
    """Nothing has that name or number: look it up and call again."""

    exit_status = 1


class Conflict(MozpoolError):
    """The thing is not in a state in which this can be done. `request` is the request that failed, if one did."""

    def __init__(
        self,
        detail: str,
        *,
        code: str = "conflict",
        status: int | None = None,
        request: Request | None = None,
    ) -> None:
        super().__init__(detail, code=code, status=status)
        self.request = request


class Invalid(MozpoolError):
    """A value is missing, of the wrong type, or out of range: `field` names it, `problems` lists all."""

    exit_status = 2

    def __init__(
        self,
        detail: str,
        *,
        code: str = "invalid",
        status: int | None = None,
        field: str | None = None,
        problems: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(detail, code=code, status=status)
        self.field = field
        self.problems = tuple(problems)

    def __str__(self) -> str:
        words = self.detail
        if self.field and not words.startswith(self.field):
            words = f"{self.field}: {words}"
        others = [problem for problem in self.problems if problem.detail not in self.detail]
        return "; ".join([words, *(f"{problem.field}: {problem.detail}" for problem in others)])


class Impossible(Invalid):
    """No device of this pool could ever serve such a request: ask for something else."""

    exit_status = 1


class TooMany(MozpoolError):
    """You have too many open requests, or call too often: give devices back, or wait `retry_after` seconds."""

    def __init__(
        self,
        detail: str,
        *,
        code: str = "too_many",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, code=code, status=status)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.detail if self.retry_after is None else f"{self.detail} (wait {self.retry_after:g} s)"


class Unavailable(MozpoolError):
    """No server could answer, for as long as we tried. `servers` says of each what was wrong with it."""

    exit_status = 3

    def __init__(self, detail: str, *, servers: Mapping[str, str], status: int | None = None) -> None:
        super().__init__(detail, code="unavailable", status=status)
        self.servers = dict(servers)

    def __str__(self) -> str:
        told = "; ".join(f"{server}: {reason}" for server, reason in self.servers.items())
        return f"{self.detail}: {told}" if told else self.detail


class BadAnswer(MozpoolError):
    """What answered does not speak the v2 API, or broke: check the server's address, or tell its operators."""

    exit_status = 3


class NotReadyInTime(MozpoolError):
    """The request was still waiting when the time was up: wait longer, or ask for something less rare."""

    def __init__(self, detail: str, *, request: Request) -> None:
        super().__init__(detail, code="not_ready_in_time")
        self.request = request


class RequestEnded(MozpoolError):
    """The request ended before its device was ready, or while it was in use; its state says why."""

    def __init__(self, detail: str, *, request: Request) -> None:
        super().__init__(detail, code="request_ended")
        self.request = request


class ConfigError(MozpoolError):
    """The configuration can't be used: the message names the file, and what to change."""

    exit_status = 2
