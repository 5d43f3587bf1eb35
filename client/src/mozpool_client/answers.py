"""Turns what a server answered into a value, or into the error that tells the caller what to do."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from mozpool_client.errors import (
    BadAnswer,
    Conflict,
    FieldProblem,
    Impossible,
    Invalid,
    MozpoolError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooMany,
)
from mozpool_client.models import read_request
from mozpool_client.servers import retry_after
from mozpool_client.wire import Answer

_CLIENT_ERRORS = range(400, 500)
_PLAIN: dict[int, type[NotAuthenticated | NotAllowed | NotFound]] = {
    HTTPStatus.UNAUTHORIZED: NotAuthenticated,
    HTTPStatus.FORBIDDEN: NotAllowed,
    HTTPStatus.NOT_FOUND: NotFound,
}


def content(answer: Answer) -> Any:
    """Give the JSON of a good answer; None for one without a body. Raises MozpoolError for every other answer."""
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise error_of(answer)
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise BadAnswer(
            f"the server sends us elsewhere ({answer.status}); give its real address", status=answer.status
        )
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        raise BadAnswer(
            "the answer is no JSON; is this really a Mozpool server?", status=answer.status
        ) from None


def error_of(answer: Answer) -> MozpoolError:
    """Make the error that an answer of 400 or more tells of."""
    problem = _problem(answer)
    status = answer.status
    code = str(problem.get("code") or "error")
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    if status == HTTPStatus.NOT_FOUND and not problem:
        return BadAnswer("there is no v2 API here; is this really a Mozpool server?", status=status)
    if status in _PLAIN:
        return _PLAIN[status](detail, code=code, status=status)
    if status in (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED):
        found = problem.get("request")
        request = read_request(found) if isinstance(found, dict) else None
        return Conflict(detail, code=code, status=status, request=request)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return TooMany(detail, code=code, status=status, retry_after=retry_after(answer))
    if status in _CLIENT_ERRORS and problem:
        return _invalid(problem, detail, code, status)
    return BadAnswer(f"the server answered {status}: {detail}", code=code, status=status)


def _invalid(problem: dict[str, Any], detail: str, code: str, status: int) -> Invalid:
    kind = Impossible if code == "impossible" else Invalid
    field = problem.get("field")
    return kind(
        detail,
        code=code,
        status=status,
        field=field if isinstance(field, str) else None,
        problems=_field_problems(problem.get("errors")),
    )


def _problem(answer: Answer) -> dict[str, Any]:
    """Read a problem document; nothing where the answer is something else, such as a proxy's page."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and ("code" in found or "detail" in found) else {}


def _field_problems(found: object) -> list[FieldProblem]:
    if not isinstance(found, list):
        return []
    return [
        FieldProblem(str(entry.get("field", "")), str(entry.get("detail", "")))
        for entry in found
        if isinstance(entry, dict)
    ]
