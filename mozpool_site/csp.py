"""Tells browsers to run and load nothing but our own files: what somebody typed into a comment stays text."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"


@sync_and_async_middleware
def content_security_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Add the policy to every answer; no page of ours has inline script or style."""
    if iscoroutinefunction(get_response):

        async def add_later(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            response["Content-Security-Policy"] = POLICY
            return response

        return add_later

    def add(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return add
