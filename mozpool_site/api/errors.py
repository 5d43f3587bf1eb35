"""Errors as HTTP tells them: JSON with `error` (a code that never changes), `detail`, and perhaps `field`."""

from collections.abc import Sequence
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from mozpool_site.errors import MozpoolError, TooManyError

JSON_TYPE = "application/json; charset=utf-8"
# Seconds after which a caller may try again while the database is away: MariaDB restarts in about that time.
RETRY_AFTER = 2
# MySQL: can't connect, connection lost, too many connections, shutting down; and contention that outlasted our retries.
_AWAY = frozenset({2002, 2003, 2006, 2013, 1040, 1053, 1205, 1213, 1020})
_SQLITE_AWAY = ("database is locked", "unable to open database file")
_OURS = ("/api/", "/boot/")
DATABASE_ERRORS = (OperationalError, InterfaceError)


def told(status: int, code: str, detail: str, field: str | None = None) -> JsonResponse:
    """Make the answer for an error."""
    body = {"error": code, "detail": detail}
    if field is not None:
        body["field"] = field
    return JsonResponse(body, status=status, content_type=JSON_TYPE)


def answer(error: MozpoolError) -> JsonResponse:
    """Make the answer for something that the caller can mend."""
    response = told(error.http_status, error.code, error.detail, error.field)
    if isinstance(error, TooManyError):
        response["Retry-After"] = str(error.retry_after)
    elif error.http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def wrong_method(allowed: Sequence[str]) -> JsonResponse:
    """Make the answer for a method that a path does not know."""
    response = told(405, "method_not_allowed", f"this path takes {' and '.join(allowed)}")
    response["Allow"] = ", ".join(allowed)
    return response


def database_is_away(error: Exception) -> bool:
    """Whether the same call will do once the database is back; every other database error is a fault of ours."""
    if isinstance(error, InterfaceError):
        return True
    code = error.args[0] if error.args else None
    return isinstance(error, OperationalError) and (
        code in _AWAY or any(text in str(error) for text in _SQLITE_AWAY)
    )


def unavailable() -> JsonResponse:
    """Make the answer for a call that has to wait for the database."""
    response = told(503, "unavailable", f"the database is away; try again in {RETRY_AFTER} s")
    response["Retry-After"] = str(RETRY_AFTER)
    return response


@csrf_exempt
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a path that does not exist: JSON below /api/ and /boot/, the page elsewhere."""
    if not is_for_programs(request):
        return defaults.page_not_found(request, exception or Exception())
    return told(404, "not_found", "there is no such path here")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a call that Django itself refuses, such as one for a host that is not ours."""
    if not is_for_programs(request):
        return defaults.bad_request(request, exception)
    return told(
        400, "invalid", "this call can't be read, or is meant for another host (MOZPOOL_ALLOWED_HOSTS)"
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a call that broke us; the traceback is in the log."""
    if not is_for_programs(request):
        return defaults.server_error(request)
    return told(500, "internal", "a fault of ours; the log of the web process has the traceback")


def is_for_programs(request: HttpRequest) -> bool:
    """Whether a call is one of the API's or a device's, and is answered in JSON."""
    return request.path_info.startswith(_OURS) or request.path_info in ("/api", "/boot")
