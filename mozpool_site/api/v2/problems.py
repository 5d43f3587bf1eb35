"""Errors as the v2 API tells them: problem details (RFC 9457), each with a code that never changes.

A problem's `type` is a path where the code is explained; nothing but the code need be understood by programs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from mozpool_site.api.errors import RETRY_AFTER
from mozpool_site.api.v2.wire import encode

CONTENT_TYPE = "application/problem+json"
PREFIX = "/api/v2/"


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its HTTP status, its name for people, and what the caller should do."""

    status: int
    title: str
    advice: str


KINDS: Mapping[str, Kind] = {
    "invalid": Kind(400, "Invalid input", "Correct what `field` or `errors` names, and call again."),
    "not_authenticated": Kind(
        401, "Who calls?", "Send `Authorization: Bearer mzp_...`, or log in, or call from a trusted network."
    ),
    "not_allowed": Kind(403, "Not allowed", "Ask somebody whose role allows it; `whoami/` tells yours."),
    "not_found": Kind(404, "Not found", "Look the name or number up in its list."),
    "wrong_method": Kind(405, "Wrong method", "The Allow header names the methods of this path."),
    "conflict": Kind(409, "Conflict", "Look at the thing's present state, and perhaps try later."),
    "length_required": Kind(411, "Length required", "Send a Content-Length; bodies in chunks are not read."),
    "precondition_failed": Kind(
        412,
        "Changed meanwhile",
        "Fetch it again: the ETag in If-Match is no longer that of the present state.",
    ),
    "too_large": Kind(413, "Too large", "Send less: a body may have 64 kB."),
    "unsupported_media_type": Kind(
        415, "Unsupported media type", "Send JSON with `Content-Type: application/json`."
    ),
    "impossible": Kind(422, "Impossible", "Ask for something else: nothing could ever match this."),
    "idempotency_mismatch": Kind(
        422, "Key used for something else", "Use a new Idempotency-Key for a new body."
    ),
    "too_many": Kind(429, "Too many", "Wait as many seconds as Retry-After says, or give something back."),
    "internal": Kind(500, "A fault of ours", "Tell your administrator: the log of the web process has it."),
    "unavailable": Kind(503, "Unavailable", "Try again after as many seconds as Retry-After says."),
}
# Codes that the legacy API, whose words are frozen, calls otherwise.
_RENAMED = {"forbidden": "not_allowed", "method_not_allowed": "wrong_method"}
_BY_STATUS = {kind.status: code for code, kind in reversed(list(KINDS.items()))}


def answer(
    code: str,
    detail: str,
    *,
    field: str | None = None,
    errors: Sequence[Mapping[str, str | None]] = (),
    extra: Mapping[str, object] | None = None,
    retry_after: int | None = None,
) -> HttpResponse:
    """Make the answer for a problem of one of the KINDS.

    `errors` are {"field", "detail"} where more than one thing is wrong; `extra` are members of its own.
    """
    kind = KINDS[code]
    body: dict[str, object] = {
        "type": f"{PREFIX}problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        **(extra or {}),
    }
    if field is not None:
        body["field"] = field
    if errors:
        body["errors"] = list(errors)
    response = HttpResponse(encode(body), status=kind.status, content_type=CONTENT_TYPE)
    if code == "not_authenticated":
        response["WWW-Authenticate"] = 'Bearer realm="mozpool"'
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def code_of(code: str, status: int) -> str:
    """Give the v2 code of an error; one that v2 does not list is told as what its status says."""
    code = _RENAMED.get(code, code)
    return code if code in KINDS else _BY_STATUS.get(status, "invalid")


def unavailable() -> HttpResponse:
    """Make the answer for a call that has to wait for the database."""
    detail = f"the database is away; try again in {RETRY_AFTER} s"
    return answer("unavailable", detail, retry_after=RETRY_AFTER)


@csrf_exempt
def no_such_path(request: HttpRequest) -> HttpResponse:
    """Answer a path below /api/v2/ that does not exist."""
    return answer("not_found", "there is no such path here; /api/v2/ lists what there is")
