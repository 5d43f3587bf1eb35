"""Reads a request's body: JSON whatever the content type says, within limits, and an object at its top."""

import json
import re
from collections.abc import Iterator
from typing import NoReturn

from django.http import HttpRequest

from mozpool_site.errors import InvalidInputError, MozpoolError

Body = dict[str, object]

DEEPEST = 32
# What an error may name as its field: any other key could itself hold what no error should repeat.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


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


def _check(body: Body) -> None:
    """Refuse what no database stores as text, and nesting that no honest client sends."""
    left: list[tuple[object, int, str]] = [(body, 1, "body")]
    while left:
        item, depth, field = left.pop()
        if isinstance(item, dict | list):
            if depth > DEEPEST:
                raise InvalidInputError(f"the body is nested deeper than {DEEPEST}", field="body")
            left += [(child, depth + 1, name) for child, name in _children(item, depth, field)]
        elif isinstance(item, str) and ("\0" in item or not _is_unicode(item)):
            raise InvalidInputError(f"{field}: a text holds a NUL or half a character", field=field)


def _children(item: Body | list[object], depth: int, field: str) -> Iterator[tuple[object, str]]:
    """Give what is inside, each with the field that an error names: the top's own keys, or where we are."""
    if isinstance(item, list):
        yield from ((child, field) for child in item)
        return
    for key, value in item.items():
        yield key, field
        yield value, key if depth == 1 and _PLAIN_KEY.fullmatch(key) else field


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
