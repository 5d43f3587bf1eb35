"""Turns whatever a view of the v2 API raises into a problem; only faults of our own pass through, to be logged."""

from collections.abc import Iterator, Mapping

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions

from mozpool_site.api.errors import database_is_away
from mozpool_site.api.v2 import problems
from mozpool_site.errors import MozpoolError

_UNREADABLE = (BadRequest, SuspiciousOperation, UnreadablePostError)
_NO_FIELD = ("non_field_errors", "__all__")


def handle(exception: Exception, context: Mapping[str, object]) -> HttpResponse | None:
    """Give the answer; None for a fault of ours."""
    if isinstance(exception, MozpoolError):
        return _ours(exception)
    if isinstance(exception, exceptions.APIException):
        return _drf(exception)
    if isinstance(exception, ValidationError):
        return invalid(list(_of_django(exception)))
    if isinstance(exception, OperationalError | InterfaceError):
        return problems.unavailable() if database_is_away(exception) else None
    return _djangos(exception)


def invalid(errors: list[dict[str, str | None]]) -> HttpResponse:
    """Make the answer for input with these faults; the first is told in `detail` and `field`, too."""
    first = errors[0]
    where = f"{first['field']}: " if first["field"] else ""
    return problems.answer("invalid", f"{where}{first['detail']}", field=first["field"], errors=errors)


def _ours(error: MozpoolError) -> HttpResponse:
    retry_after = getattr(error, "retry_after", None)
    return problems.answer(
        problems.code_of(error.code, error.http_status),
        error.detail,
        field=error.field,
        extra=getattr(error, "extra", None),
        retry_after=None if retry_after is None else int(retry_after),
    )


def _drf(error: exceptions.APIException) -> HttpResponse:
    if isinstance(error, exceptions.ValidationError):
        return invalid(list(_flat(error.detail, "")))
    code = problems.code_of("", error.status_code)
    wait = getattr(error, "wait", None)
    return problems.answer(code, str(error.detail), retry_after=None if wait is None else int(wait) + 1)


def _djangos(exception: Exception) -> HttpResponse | None:
    if isinstance(exception, Http404):
        return problems.answer("not_found", "there is nothing of that name or number")
    if isinstance(exception, PermissionDenied):
        return problems.answer("not_allowed", "this is not allowed")
    if isinstance(exception, RequestDataTooBig):
        return problems.answer("too_large", "the body is longer than 64 kB", field="body")
    if isinstance(exception, _UNREADABLE):
        return problems.answer("invalid", "the call can't be read", field="body")
    return None


def _flat(detail: object, path: str) -> Iterator[dict[str, str | None]]:
    """Name each fault by the path to its field: `webhook.url`, `tags.2`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flat(inner, path if name in _NO_FIELD else f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            # A list of texts is one field's faults; one of objects has an element for each of the list sent.
            nested = isinstance(inner, dict | list)
            if inner:
                yield from _flat(inner, f"{path}.{number}" if nested else path)
    else:
        yield {"field": path or None, "detail": str(detail)}


def _of_django(error: ValidationError) -> Iterator[dict[str, str | None]]:
    if hasattr(error, "error_dict"):
        for name, messages in error.message_dict.items():
            for message in messages:
                yield {"field": None if name in _NO_FIELD else name, "detail": message}
    else:
        for message in error.messages:
            yield {"field": None, "detail": message}
