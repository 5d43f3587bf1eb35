"""What both transports tell httpx, and how they read its failures."""

from __future__ import annotations

import platform
import ssl
from http import HTTPStatus
from importlib import metadata
from typing import Any

import httpx

from mozpool_client.wire import NoAnswer, Send

# Seconds for a connection: a host that is gone should not hide the next one for long.
CONNECT_SECONDS = 5.0


# Nothing has been sent to the server by then.
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    UnicodeError,
)

_LASTING = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError)


class Stopped(Exception):
    """The calls of this client were called off."""


def version() -> str:
    """Give the version of this package; `0` from a checkout that is not installed."""
    try:
        return metadata.version("mozpool-client")
    except metadata.PackageNotFoundError:
        return "0"


# What a call may end in without an answer; a name that no lookup can ask for is a UnicodeError.
FAILURES = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)
USER_AGENT = f"mozpool-client/{version()} Python/{platform.python_version()}"


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


def no_answer(error: Exception) -> NoAnswer:
    """Say why no answer came, whether the call may have reached the server, and whether it is worth another try."""
    unsent = isinstance(error, _UNSENT)
    certificate = _about_certificate(error)
    if certificate is not None:
        reason = f"its certificate is not trusted: {certificate.verify_message} (SSL_CERT_FILE may name whom to trust)"
    elif isinstance(error, httpx.TimeoutException):
        reason = "no connection in time" if unsent else "no answer in time"
    else:
        reason = str(error) or type(error).__name__
    lasting = certificate is not None or isinstance(error, _LASTING)
    return NoAnswer(reason, sent=not unsent, lasting=lasting)


def _about_certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def begun(response: httpx.Response) -> bool:
    """Whether a stream has begun; an error's body is read whole instead."""
    return response.status_code < HTTPStatus.MULTIPLE_CHOICES
