"""What can be wrong with what somebody asks, named by what they should do about it.

Each class carries a `code` that never changes, the HTTP status that the API answers with, and the exit
status of the commands: 2 when the call's words are wrong, 1 when the world is not as the call assumes.
"""

from typing import ClassVar


class MozpoolError(Exception):
    """Something that the caller can mend. `detail` is one plain sentence; `field` names the bad input."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 400
    exit_status: ClassVar[int] = 2

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class InvalidInputError(MozpoolError):
    """A value is missing, of the wrong type, or out of range: correct the call."""

    code = "invalid"


class UnknownNameError(MozpoolError):
    """Nothing has that name or number: look it up and call again."""

    code = "not_found"
    http_status = 404


class NotAllowedError(MozpoolError):
    """The caller may not do this: ask somebody who may."""

    code = "forbidden"
    http_status = 403


class NotAuthenticatedError(NotAllowedError):
    """We don't know who calls: log in, or call from a trusted network."""

    code = "not_authenticated"
    http_status = 401


class ConflictError(MozpoolError):
    """The thing is not in a state in which this can be done: look, and perhaps try later."""

    code = "conflict"
    http_status = 409
    exit_status = 1


class TooManyError(MozpoolError):
    """The caller has had their share for now: wait `retry_after` seconds, or give something back first."""

    code = "too_many"
    http_status = 429
    exit_status = 1

    def __init__(self, detail: str, *, field: str | None = None, retry_after: int = 60) -> None:
        super().__init__(detail, field=field)
        self.retry_after = retry_after


class ImpossibleError(MozpoolError):
    """No device that there is could ever meet the request: ask for something else."""

    code = "impossible"
    http_status = 422
    exit_status = 1


class IdempotencyMismatchError(MozpoolError):
    """The Idempotency-Key was used for another body: a new key for a new request."""

    code = "idempotency_mismatch"
    http_status = 422
