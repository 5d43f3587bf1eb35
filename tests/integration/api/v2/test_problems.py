"""Whatever goes wrong below /api/v2/ is a problem that a program can read, and nothing of ours breaks."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from devices.models import Device
from mozpool_site.api.access import Role
from mozpool_site.api.v2 import problems
from mozpool_site.api.v2.views import ApiView, ApiViewSet
from tests.integration.api.pool import at, person
from tests.integration.api.v2.calls import BASE, get, problem, send


def test_the_front_door_is_open_and_names_what_there_is(stranger: Client) -> None:
    body = get(stranger, "").json()
    assert body["links"]["power_controllers"] == "http://mozpool.example/api/v2/power-controllers/"
    assert body["documentation"] == "http://mozpool.example/api/v2/docs/"
    for link in body["links"].values():
        path = link.partition("/api/v2/")[2]
        assert get(stranger, path).status_code in (401, 405), path


@pytest.mark.parametrize("code", problems.KINDS)
def test_each_code_is_explained_where_its_type_points(stranger: Client, code: str) -> None:
    kind = problems.KINDS[code]
    told = get(stranger, f"problems/{code}").json()
    assert told == {"code": code, "status": kind.status, "title": kind.title, "advice": kind.advice}


def test_a_code_that_there_is_not_is_not_explained(stranger: Client) -> None:
    problem(get(stranger, "problems/boredom"), 404, "not_found", "code")


@pytest.mark.parametrize("path", ["nothing", "nothing/", "devices/a/b/c", "/", "devices//", "%00", "☃/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_path_that_is_not_there_is_a_problem(operator: Client, path: str, method: str) -> None:
    problem(send(operator, method, path), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_is_not_there_is_told_with_those_that_are(operator: Client, method: str) -> None:
    answer = send(operator, method, "devices/")
    problem(answer, 405, "wrong_method")
    assert answer["Allow"] == "GET, HEAD, POST"


def test_a_stranger_is_asked_for_a_token(stranger: Client) -> None:
    answer = get(stranger, "devices/")
    problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="mozpool"'
    bad = get(at("192.0.2.6"), "devices/", authorization="Bearer mzp_nonsense")
    problem(bad, 401, "not_authenticated")
    assert bad["WWW-Authenticate"] == 'Bearer realm="mozpool"'


def test_a_session_needs_its_csrf_token_for_what_changes_something() -> None:
    client = person("oscar", "operator", enforce_csrf_checks=True)
    assert get(client, "devices/").status_code == 200
    assert "CSRF" in problem(send(client, "PATCH", "devices/device1/", {"comments": "x"}), 403, "not_allowed")
    assert Device.objects.get(name="device1").comments is None


@pytest.mark.parametrize(
    ("raw", "kind", "status", "code", "field"),
    [
        (b"{", "application/json", 400, "invalid", "body"),
        (b"[]", "application/json", 400, "invalid", "body"),
        (b"null", "application/json", 400, "invalid", "body"),
        (b'"x"', "application/json", 400, "invalid", "body"),
        (b'{"comments": NaN}', "application/json", 400, "invalid", "body"),
        (b'{"comments": "\\u0000"}', "application/json", 400, "invalid", "comments"),
        (b'{"comments": "\\ud800"}', "application/json", 400, "invalid", "comments"),
        (b'{"comments": "\xff"}', "application/json", 400, "invalid", "body"),
        (b'{"comments": ' + b"[" * 40 + b"]" * 40 + b"}", "application/json", 400, "invalid", None),
        (b'{"comments": ' + b"[" * 30_000, "application/json", 400, "invalid", "body"),
        (b'{"comments": "' + b"x" * 70_000 + b'"}', "application/json", 413, "too_large", "body"),
        (b"comments=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type", None),
        (b"{}", "text/plain", 415, "unsupported_media_type", None),
        (b"{}", "", 415, "unsupported_media_type", None),
        (b"{}", "application/json; charset=utf-16", 200, "", None),
        (b"{}", "Application/JSON", 200, "", None),
        (b"", "", 200, "", None),
    ],
)
def test_a_body_that_can_not_be_read_is_refused(
    operator: Client, raw: bytes, kind: str, status: int, code: str, field: str | None
) -> None:
    answer = operator.generic("PATCH", f"{BASE}devices/device1/", raw, content_type=kind)
    assert answer.status_code == status, answer.content
    if code:
        told = answer.json()
        assert told["code"] == code
        assert field is None or told["field"] == field
    assert Device.objects.get(name="device1").comments is None


def test_a_body_in_chunks_of_unknown_number_is_refused() -> None:
    client = at("10.2.0.5")
    answer = client.generic(
        "PATCH", f"{BASE}devices/device1/", content_type="application/json",
        headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH="",
    )  # fmt: skip
    problem(answer, 411, "length_required")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense", "*/*", ""])
def test_json_is_what_everybody_gets(operator: Client, accept: str) -> None:
    answer = get(operator, "devices/", accept=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_a_host_that_is_not_ours_is_a_problem(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["mozpool.example"]
    answer = at("10.2.0.5").get(f"{BASE}devices/", headers={"Host": "evil.example"})
    problem(answer, 400, "invalid")


def test_a_fault_of_ours_is_a_problem_too(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mozpool_site.api.v2.keyset.take", broken)
    operator.raise_request_exception = False
    assert "log" in problem(get(operator, "devices/"), 500, "internal")


def test_a_database_that_is_away_is_told_so(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*arguments: Any, **options: Any) -> None:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr("mozpool_site.api.v2.keyset.take", away)
    answer = get(operator, "devices/")
    problem(answer, 503, "unavailable")
    assert answer["Retry-After"] == "2"


def test_a_view_whose_author_forgot_who_may_can_not_be_made() -> None:
    def get_it(self: Any, request: Any) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="Forgetful does not say in `least` who may get"):
        type("Forgetful", (ApiView,), {"get": get_it})
    with pytest.raises(TypeError, match="list, destroy"):
        type(
            "Half",
            (ApiViewSet,),
            {"list": get_it, "create": get_it, "destroy": get_it, "least": {"create": Role.ADMIN}},
        )


def test_nobody_keeps_what_was_meant_for_one_caller(operator: Client) -> None:
    answer = get(operator, "devices/")
    assert answer["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie", "Origin"} <= {one.strip() for one in answer["Vary"].split(",")}
    assert get(operator, "nothing/")["Content-Security-Policy"].startswith("default-src 'self'")
    assert send(operator, "POST", "devices/device1/ping/")["Cache-Control"] == "no-store"


def test_scripts_of_a_listed_origin_may_read(operator: Client) -> None:
    ours = get(operator, "devices/", origin="http://other.server:1234")
    assert ours["Access-Control-Allow-Origin"] == "http://other.server:1234"
    assert "Access-Control-Allow-Origin" not in get(operator, "", origin="http://evil.example")


def test_a_browser_is_told_what_a_script_of_a_listed_origin_may_send(stranger: Client) -> None:
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    ours = stranger.options(
        f"{BASE}devices/device1/", headers={**asked, "Origin": "http://other.server:1234"}
    )
    assert ours.status_code == 204
    assert ours["Access-Control-Allow-Methods"] == "GET, HEAD, PATCH, DELETE"
    assert "Authorization" in ours["Access-Control-Allow-Headers"]
    assert ours["Access-Control-Allow-Origin"] == "http://other.server:1234"
    evil = stranger.options(f"{BASE}devices/device1/", headers={**asked, "Origin": "http://evil.example"})
    assert "Access-Control-Allow-Origin" not in evil


def test_a_problem_is_json_from_end_to_end(operator: Client) -> None:
    answer = get(operator, "devices/?x=%3Cscript%3E")
    assert json.loads(answer.content)["field"] == "x"
    problem(get(operator, "devices/?%3Cscript%3E=1"), 400, "invalid", "<script>")
