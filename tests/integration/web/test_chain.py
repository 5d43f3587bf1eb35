"""The way of a call through the middleware: short for programs, whole for sessions, and async all through."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.utils.module_loading import import_string

from tests.integration.api.pool import person

pytestmark = pytest.mark.django_db

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.parametrize("name", settings.MIDDLEWARE)
def test_no_middleware_makes_a_waiting_call_hold_a_thread(name: str) -> None:
    assert import_string(name).async_capable is True


@pytest.mark.parametrize("path", ["/healthz", "/api/device/list/", "/api/nothing/", "/boot/nobody/token/"])
@pytest.mark.parametrize("cookie", [False, True], ids=["no session", "a session"])
def test_every_answer_to_a_program_has_the_headers_of_a_page(path: str, *, cookie: bool) -> None:
    client = person("one", "viewer") if cookie else Client()
    answer = client.get(path)
    assert {name: answer[name] for name in SAFE} == SAFE
    assert answer["Content-Security-Policy"].startswith("default-src 'self'")


def test_a_program_without_a_session_has_no_user_and_starts_none() -> None:
    answer = Client().get("/healthz")
    assert (hasattr(answer.wsgi_request, "session"), hasattr(answer.wsgi_request, "user")) == (False, False)
    assert not answer.cookies


def test_a_program_with_a_session_is_its_user() -> None:
    answer = person("one", "viewer").get("/healthz")
    assert answer.wsgi_request.user.get_username() == "one"


def test_a_page_has_a_session_and_messages_for_everybody() -> None:
    request = Client().get("/").wsgi_request
    assert hasattr(request, "session")
    assert hasattr(request, "_messages")


def test_a_foreign_host_is_refused_by_the_api_too() -> None:
    answer = Client(SERVER_NAME="evil.example").get("/healthz")
    assert (answer.status_code, urlsplit(answer.wsgi_request.path).path) == (400, "/healthz")
