"""Makes a view of a function: method, caller, body, in this order; and every refusal becomes JSON.

A view can't be made without saying who may use it, so a forgotten permission is a TypeError at import.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from mozpool_site.api import bodies, errors
from mozpool_site.api.access import ANYBODY, Caller, Role, demand, identify, listed_origin, may_change_by_get
from mozpool_site.api.bodies import Body
from mozpool_site.errors import MozpoolError

READ = ("GET", "HEAD")
WRITE = ("POST",)
# Seconds for which a browser need not ask again whether it may call; what all of them honour.
_PREFLIGHT_AGE = 600
_UNREADABLE = (BadRequest, SuspiciousOperation, MultiPartParserError, UnreadablePostError)


@dataclass(frozen=True)
class Call:
    """One call of a view: who, and what they sent (`{}` unless it is a POST)."""

    request: HttpRequest
    caller: Caller
    body: Body = field(default_factory=dict)

    @property
    def method(self) -> str:
        """GET, HEAD or POST."""
        return self.request.method or ""

    def asks_for(self, flag: str) -> bool:
        """Whether the query string has a flag; its presence counts, whatever its value."""
        return flag in self.request.GET


View = Callable[..., HttpResponse]


def endpoint(
    *methods: str, least: Role, changes_by_get: bool = False, for_devices: bool = False
) -> Callable[[View], View]:
    """Serve `methods` to callers who have at least the role `least`; Role.NOBODY asks for no credentials.

    With `changes_by_get` also to a GET of old scripts on trusted networks, though it changes something. With
    `for_devices` also to devices on their own networks: the function must see to it that they speak of themselves.

    The function takes a Call and the parts of its path, and gives the answer or raises MozpoolError.
    """
    rules = _Rules(methods, least, changes_by_get, for_devices)

    def decorate(function: View) -> View:
        @csrf_exempt  # sessions are checked in access.py; other callers have no cookie that could be abused
        @wraps(function)
        def view(request: HttpRequest, **parts: str) -> HttpResponse:
            try:
                response = _serve(function, rules, request, parts)
            except MozpoolError as error:
                response = errors.answer(error)
            except RequestDataTooBig:
                response = errors.told(413, "too_large", "the body is longer than 64 kB", "body")
            except _UNREADABLE:
                response = errors.told(400, "invalid", "the call can't be read", "body")
            except (OperationalError, InterfaceError) as error:
                if not errors.database_is_away(error):
                    raise
                response = errors.unavailable()
            return _finished(request, response)

        return view

    return decorate


def with_and_without_slash(route: str, view: Callable[..., Any]) -> list[URLPattern]:
    """Serve a path both ways, as old clients know it; a redirect would lose a POST's body."""
    return [path(f"{route}/", view), path(route, view)]


@dataclass(frozen=True)
class _Rules:
    methods: tuple[str, ...]
    least: Role
    changes_by_get: bool
    for_devices: bool

    @property
    def taken(self) -> tuple[str, ...]:
        """The methods that somebody may use."""
        return ("GET", *self.methods) if self.changes_by_get else self.methods


def _serve(function: View, rules: _Rules, request: HttpRequest, parts: dict[str, str]) -> HttpResponse:
    if request.method == "OPTIONS" and is_preflight(request):
        return preflight(rules.taken)
    if request.method not in rules.taken:
        return errors.wrong_method(rules.taken)
    caller = identify(request) if rules.least > Role.NOBODY else ANYBODY
    if not (rules.for_devices and caller.by_device):
        demand(caller, rules.least)
    is_changing_get = rules.changes_by_get and request.method == "GET"
    if is_changing_get and not may_change_by_get(request, caller):
        return errors.wrong_method(rules.methods)
    body = bodies.read(request) if request.method == "POST" else {}
    return function(Call(request, caller, body), **parts)


def is_preflight(request: HttpRequest) -> bool:
    """Whether a browser asks for a script of a listed origin if it may call. It never sends credentials with it."""
    return "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META and listed_origin(request) is not None


def preflight(methods: Iterable[str], headers: str = "Authorization, Content-Type") -> HttpResponse:
    """Answer it: with these methods and headers the script may call."""
    response = HttpResponse(status=204)
    del response["Content-Type"]
    response["Access-Control-Allow-Methods"] = ", ".join(methods)
    response["Access-Control-Allow-Headers"] = headers
    response["Access-Control-Max-Age"] = str(_PREFLIGHT_AGE)
    return response


def _finished(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let nobody keep what was meant for one caller, and let listed origins' scripts read it."""
    response.setdefault("Cache-Control", "no-store")
    response["Vary"] = "Authorization, Cookie, Origin"
    origin = listed_origin(request)
    if origin:
        response["Access-Control-Allow-Origin"] = origin
    return response
