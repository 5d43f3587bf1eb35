"""Reads single values out of a body or a path: types, lengths and ranges, each refusal naming the field."""

import re
from urllib.parse import urlsplit

from django.conf import settings

from mozpool_site.api.bodies import Body
from mozpool_site.errors import InvalidInputError

# What a signed 64-bit column of MySQL and SQLite holds.
LARGEST_ID = 2**63 - 1
# The longest URL that every tool on a board takes.
LONGEST_VALUE = 2000
# No duration has more digits; the service knows the real maximum.
_DIGITS = re.compile(r"[0-9]{1,12}")
_ID = re.compile(r"[0-9]{1,19}")
# What a shell's `wget` would take for a URL, or a browser.
_LIKE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|.*://", re.DOTALL)
_MOST_SECONDS = 10**12


def text(body: Body, key: str, longest: int) -> str:
    """Give a text of 1 to `longest` characters that is more than white space. Raises InvalidInputError."""
    if key not in body:
        raise InvalidInputError(f"{key} is missing", field=key)
    value = body[key]
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{key}: a text expected", field=key)
    if len(value) > longest:
        raise InvalidInputError(f"{key}: at most {longest} characters, got {len(value)}", field=key)
    return value


def seconds(body: Body, key: str) -> int:
    """Give whole seconds, from a number or a string of digits. Raises InvalidInputError."""
    if key not in body:
        raise InvalidInputError(f"{key} is missing", field=key)
    value = body[key]
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # True is a number to Python, but not to anybody who asks for a duration.
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MOST_SECONDS:
        raise InvalidInputError(f"{key}: whole seconds expected", field=key)
    return value


def row_id(part: str) -> int | None:
    """Read the number of a row from a path; None for what is no number, or larger than any row's."""
    number = int(part) if _ID.fullmatch(part) else 0
    return number if 1 <= number <= LARGEST_ID else None


def build_value(body: Body, key: str) -> str | int:
    """Give a value of a boot config: text, a whole number, or true or false.

    What looks like a URL must be http or https, without user info, on a host of MOZPOOL_IMAGE_HOSTS: a
    device will fetch it. Raises InvalidInputError.
    """
    value = body.get(key)
    if isinstance(value, int) and abs(value) <= LARGEST_ID:
        return value
    value = text(body, key, LONGEST_VALUE)
    if value != value.strip() or not value.isprintable():
        raise InvalidInputError(
            f"{key}: no white space at the ends, no control characters, please", field=key
        )
    if _LIKE_URL.match(value) and not _is_allowed_url(value):
        raise InvalidInputError(
            f"{key}: an http or https URL without user info expected, on a host that MOZPOOL_IMAGE_HOSTS lists",
            field=key,
        )
    return value


def _is_allowed_url(value: str) -> bool:
    # Programs disagree on where the host ends when one of these is in a URL.
    if any(char.isspace() or char in "\\\"'`<>" for char in value):
        return False
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return False
    if url.scheme not in ("http", "https") or "@" in url.netloc or port == 0:
        return False
    return any(_is_host(url.hostname or "", listed) for listed in settings.MOZPOOL_IMAGE_HOSTS)


def _is_host(host: str, listed: str) -> bool:
    if listed.startswith("."):
        return host == listed[1:] or host.endswith(listed)
    return host == listed.removeprefix("[").removesuffix("]")
