"""Reads a request's body: JSON whatever the content type says, within limits, and an object at its top."""

import json
from typing import NoReturn

from django.http import HttpRequest

from mozpool_site.errors import InvalidInputError, MozpoolError

Body = dict[str, object]

DEEPEST = 32


class TooLargeError(MozpoolError):
    """The body is longer than we read: send less."""

    code = "too_large"
    http_status = 413


class LengthNeededError(MozpoolError):
    """The body comes in chunks of unknown number: send its length."""

    code = "length_required"
    http_status = 411


def read(request: HttpRequest) -> Body:
    """Give the body as an object, `{}` for an empty one; InvalidInputError for everything else."""
    if not request.META.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in request.META:
        raise LengthNeededError("send the body with a Content-Length, not in chunks")
    return parse(request.body)


def parse(raw: bytes) -> Body:
    """Read JSON from bytes. Raises InvalidInputError."""
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"the body is no JSON in UTF-8: {str(error)[:200]}", field="body") from error
    if not isinstance(value, dict):
        raise InvalidInputError("the body must be a JSON object", field="body")
    _check(value)
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check(value: object) -> None:
    """Refuse what no database stores as text, and nesting that no honest client sends."""
    left = [(value, 1)]
    while left:
        item, depth = left.pop()
        if isinstance(item, dict | list):
            if depth > DEEPEST:
                raise InvalidInputError(f"the body is nested deeper than {DEEPEST}", field="body")
            children = [*item.keys(), *item.values()] if isinstance(item, dict) else item
            left += [(child, depth + 1) for child in children]
        elif isinstance(item, str) and ("\0" in item or not _is_unicode(item)):
            raise InvalidInputError("a text holds a NUL or half a character", field="body")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
