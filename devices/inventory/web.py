"""Reads devices out of JSON over HTTP, page by page to the end; a page that fails makes all of it no answer."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from devices.inventory.declared import Source
from devices.inventory.errors import NoAnswerError
from devices.inventory.paths import MISSING, at

# Of waiting for one piece of an answer, and of reading all pages.
SILENCE_SECONDS = 30.0
_ALL_SECONDS = 600.0
_MOST_BYTES = 64 * 1024 * 1024
_MOST_PAGES = 10_000
_PIECE = 1024 * 1024


class _Here(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the token is for the URL that was declared."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_Here)


def from_http(source: Source) -> list[tuple[str, Any]]:
    """Give what the pages list, each with where it was. Raises NoAnswerError."""
    headers = {"Accept": "application/json"}
    if token := source.token:
        headers["Authorization"] = f"{source.auth} {token}".strip()
    end = time.monotonic() + _ALL_SECONDS
    items: list[tuple[str, Any]] = []
    url, seen, counted = source.url, set[str](), None
    while url:
        if url in seen or len(seen) == _MOST_PAGES:
            raise NoAnswerError(f"the pages of {source.url} do not end")
        seen.add(url)
        page = _page(url, headers, end)
        items += [
            (f"page {len(seen)}, entry {place}", item) for place, item in enumerate(_items(page, source), 1)
        ]
        counted = _counted(page, source, counted)
        url = _following(page, url, source)
    if counted is not None and counted != len(items):
        raise NoAnswerError(f"{source.url} counts {counted} devices and sent {len(items)}")
    return items


def _items(page: Any, source: Source) -> list[Any]:
    found = page if isinstance(page, list) or not source.items else at(page, source.items)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise NoAnswerError(f"{source.url} sent no list of devices at {source.items!r}")
    return found


def _counted(page: Any, source: Source, before: int | None) -> int | None:
    """Give how many devices there are in all, as the page tells; the first page's word counts."""
    if before is not None or not source.count or isinstance(page, list):
        return before
    number = at(page, source.count)
    if not isinstance(number, int) or isinstance(number, bool):
        raise NoAnswerError(f"{source.url} sent no number at {source.count!r}")
    return number


def _following(page: Any, url: str, source: Source) -> str:
    if isinstance(page, list) or not source.next:
        return ""
    link = at(page, source.next)
    if link is MISSING or link is None or link == "":
        return ""
    following = urljoin(url, link) if isinstance(link, str) else ""
    if urlsplit(following)[:2] != urlsplit(source.url)[:2]:
        raise NoAnswerError(f"{source.url} names {link!r} as its next page, which is elsewhere")
    return following


def _page(url: str, headers: Mapping[str, str], end: float) -> Any:
    """Fetch one page."""
    # The declaration was checked: http or https, nothing else.
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310
    try:
        with _opener.open(request, timeout=SILENCE_SECONDS) as response:
            content = _whole(response, url, end)
    except urllib.error.HTTPError as error:
        error.close()
        raise NoAnswerError(f"{url} answered {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(
            f"{url} gave no whole answer: {getattr(error, 'reason', None) or error!r}"
        ) from None
    return parsed(content, url)


def parsed(content: bytes, url: str) -> Any:
    """Return what JSON says. Raise NoAnswerError for anything else, and for a key that is twice in one object."""
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except _TwiceError as error:
        raise NoAnswerError(f"{url} sent an object that has {error} twice") from None
    except (ValueError, RecursionError):
        raise NoAnswerError(f"{url} sent what is no JSON") from None


class _TwiceError(Exception):
    """A key is twice in one object; the message names it."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(f"{key!r:.64}")
        found[key] = value
    return found


def _whole(response: Any, url: str, end: float) -> bytes:
    pieces = []
    size = 0
    while piece := response.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES or time.monotonic() > end:
            raise NoAnswerError(f"{url} sends too much, or too slowly")
    expected = response.headers.get("Content-Length")
    if expected is not None and expected.isdecimal() and int(expected) != size:
        raise NoAnswerError(f"{url} broke off after {size} of {expected} bytes")
    return b"".join(pieces)
