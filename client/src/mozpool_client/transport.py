"""What both transports tell httpx, and how they read its failures."""

from __future__ import annotations

import functools
import platform
import ssl
from http import HTTPStatus
from importlib import metadata
from typing import Any

import httpx

from mozpool_client.wire import NoAnswer, Send

# Seconds for a connection: a host that is gone should not hide the next one for long.
CONNECT_SECONDS = 5.0


class Stopped(Exception):
    """The calls of this client were called off."""


def version() -> str:
    """Give the version of this package; `0` from a checkout that is not installed."""
    try:
        return metadata.version("mozpool-client")
    except metadata.PackageNotFoundError:
        return "0"


USER_AGENT = f"mozpool-client/{version()} Python/{platform.python_version()}"


@functools.lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """Give what certificates are checked against; read once, for it takes longer than a call."""
    return httpx.create_ssl_context()


def request_arguments(effect: Send) -> dict[str, Any]:
    """Give the arguments of httpx's `request` and `stream`."""
    return {
        "method": effect.method,
        "url": effect.url,
        "headers": dict(effect.headers),
        "params": dict(effect.params) or None,
        "content": effect.body,
        "timeout": httpx.Timeout(effect.timeout, connect=CONNECT_SECONDS),
    }


def no_answer(error: httpx.HTTPError) -> NoAnswer:
    """Say why no answer came, and whether the call may have reached the server."""
    unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    if isinstance(error, httpx.TimeoutException):
        reason = "no connection in time" if unsent else "no answer in time"
    else:
        reason = str(error) or type(error).__name__
    return NoAnswer(reason, sent=not unsent)


def begun(response: httpx.Response) -> bool:
    """Whether a stream has begun; an error's body is read whole instead."""
    return response.status_code < HTTPStatus.MULTIPLE_CHOICES
