"""Keeps what only pages need out of the way of API calls: static files and messages, and sessions where there is none.

A call that brings a session's cookie goes through sessions and users as a page does. Headers, host names and CSRF
tokens are looked after for all. Each works in async handlers too: one that did not would have every waiting call hold
a thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

Answer = HttpResponseBase | Awaitable[HttpResponseBase]
_FOR_PROGRAMS = ("/api/", "/boot/", "/healthz")


def is_for_programs(request: HttpRequest) -> bool:
    """Whether a call is one of the API's or a device's."""
    return request.path_info.startswith(_FOR_PROGRAMS)


def needs_no_session(request: HttpRequest) -> bool:
    """Whether a program calls that brings no session."""
    return is_for_programs(request) and settings.SESSION_COOKIE_NAME not in request.META.get(
        "HTTP_COOKIE", ""
    )


class Sessions(SessionMiddleware):
    """Django's sessions."""

    def __call__(self, request: HttpRequest) -> Any:
        """Load and save the session, if there may be one."""
        return self.get_response(request) if needs_no_session(request) else super().__call__(request)


class Authentication(AuthenticationMiddleware):
    """Django's `request.user`; without a session there is none."""

    def __call__(self, request: HttpRequest) -> Any:
        """Say who the session's user is, if there may be one."""
        return self.get_response(request) if needs_no_session(request) else super().__call__(request)


class Messages(MessageMiddleware):
    """Django's messages from one page to the next."""

    def __call__(self, request: HttpRequest) -> Any:
        """Carry messages between pages."""
        return self.get_response(request) if is_for_programs(request) else super().__call__(request)


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # whitenoise has no types
    """WhiteNoise's static files; only pages have any, and no page is served by an async handler."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        super().__init__(get_response)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Serve a file, or what comes next."""
        if self._is_async or is_for_programs(request):
            return self.get_response(request)
        return super().__call__(request)
