"""Logging in by the v2 API, asking who one is, and looking after one's tokens."""

import json
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from mozpool_site.access import tokens
from mozpool_site.access.models import AuditEntry, Failures, Token
from mozpool_site.access.roles import Role
from mozpool_site.statemachine.runner import Actor
from tests.integration.access.people import sending, somebody, token_of

pytestmark = pytest.mark.django_db
LOGIN, TOKENS, WHO = "/api/v2/login/", "/api/v2/tokens/", "/api/v2/whoami/"


@pytest.fixture(autouse=True)
def fast_passwords(settings: Settings) -> None:
    """Hash passwords quickly: how strongly is Django's business."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MOZPOOL_BASE_URL = "http://pool"


def ada(role: str | None = "operator", **columns: Any) -> User:
    user = somebody("ada", role, **columns)
    user.set_password("correct horse")
    user.save()
    return user


def post(
    path: str, body: dict[str, Any], client: Client | None = None, kind: str = "application/json"
) -> Any:
    client = client or Client(REMOTE_ADDR="192.0.2.5")
    return client.post(path, json.dumps(body), content_type=kind)


def log_in(**body: Any) -> Any:
    return post(LOGIN, {"username": "ada", "password": "correct horse", **body})


def test_a_password_buys_a_token() -> None:
    ada()
    answer = log_in(token_name="ada's laptop", expires_in=3600)
    assert answer.status_code == 201
    row = Token.objects.get()
    told = answer.json()
    assert told == {
        "id": row.pk, "token": told["token"], "name": "ada", "role": "operator",
        "expires": row.expires.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    assert (row.name, (row.expires - row.created).total_seconds()) == ("ada's laptop", 3600)
    assert answer["Cache-Control"] == "no-store"
    who = sending(told["token"]).get(WHO)
    assert who.json() == {
        "name": "ada", "role": "operator", "by": "token",
        "token": {"name": "ada's laptop", "expires": told["expires"]},
    }  # fmt: skip


def test_ninety_days_and_the_name_login_are_what_nobody_asks_for() -> None:
    ada()
    log_in()
    row = Token.objects.get()
    assert (row.name, (row.expires - row.created).days) == ("login", 90)


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"username": "eve"}, {"password": "correct horse "}])
def test_a_wrong_password_or_name_is_told_alike(wrong: dict[str, str]) -> None:
    ada()
    answer = log_in(**wrong)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"
    assert answer.json()["detail"] == "no active user has this name and password"
    assert not Token.objects.exists()


def test_who_is_locked_out_or_has_no_role_gets_no_token() -> None:
    user = ada(None)
    answer = log_in()
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert "ada has no role" in answer.json()["detail"]
    user.is_active = False
    user.save()
    assert log_in().status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": ""}, "username"), ({"username": None}, "username"), ({"username": ["ada"]}, "username"),
        ({"username": "x" * 151}, "username"), ({"password": ""}, "password"), ({"password": {}}, "password"),
        ({"password": "x" * 1001}, "password"), ({"token_name": "x" * 65}, "token_name"),
        ({"token_name": "a\nb"}, "name"), ({"expires_in": 0}, "expires_in"), ({"expires_in": "soon"}, "expires_in"),
        ({"expires_in": 10**12}, "expires_in"), ({"role": "admin"}, "role"),
    ],
)  # fmt: skip
def test_a_bad_body_names_its_field(body: dict[str, Any], field: str) -> None:
    ada()
    answer = log_in(**body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not Token.objects.exists()


def test_a_form_from_another_site_is_not_read() -> None:
    ada()
    body = "username=ada&password=correct+horse"
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        assert Client().post(LOGIN, body, content_type=kind).status_code == 415


def test_a_stale_token_or_session_does_not_keep_anybody_from_logging_in() -> None:
    user = ada()
    client = sending("mzp_stale", enforce_csrf_checks=True)
    client.force_login(user)
    body = {"username": "ada", "password": "correct horse"}
    assert post(LOGIN, body, client).status_code == 201


def test_guessing_is_throttled_told_when_to_come_back_and_cleared_by_a_success() -> None:
    ada()
    assert [log_in(password="x").status_code for _ in range(6)] == [401] * 5 + [429]
    refused = log_in()
    assert (refused.status_code, refused["Retry-After"], refused.json()["code"]) == (429, "1", "too_many")
    Failures.objects.update(until=None)
    assert log_in().status_code == 201
    assert not Failures.objects.filter(key__startswith="login ada").exists()
    trail = list(AuditEntry.objects.values_list("action", "actor", "target", "address").order_by("pk"))
    assert trail[0] == ("failed_login", "", "ada", "192.0.2.5")
    assert trail[-2:] == [
        ("login", "ada", "ada", "192.0.2.5"),
        ("create_token", "ada", f"{Token.objects.get().begins}... of ada", "192.0.2.5"),
    ]
    assert len(trail) == 7


def test_who_calls_by_session_and_who_does_not_say() -> None:
    client = Client(REMOTE_ADDR="192.0.2.5")
    assert client.get(WHO).status_code == 401
    client.force_login(somebody("v", None))
    assert client.get(WHO).json() == {"name": "v", "role": "nobody", "by": "session", "token": None}


def test_one_sees_ones_own_tokens_and_an_admin_everybodys() -> None:
    viewer, root = somebody("v", "viewer"), somebody("root", "admin")
    clients = {user.username: sending(token_of(user)) for user in (viewer, root)}
    (entry,) = clients["v"].get(TOKENS).json()["results"]
    row = Token.objects.get(user=viewer)
    assert {name: entry[name] for name in ("id", "url", "begins", "owner", "name", "role")} == {
        "id": row.pk, "url": f"http://pool/api/v2/tokens/{row.pk}/", "begins": row.begins, "owner": "v",
        "name": "for a test", "role": "viewer",
    }  # fmt: skip
    assert [one["owner"] for one in clients["root"].get(TOKENS).json()["results"]] == ["root"]
    assert [one["owner"] for one in clients["root"].get(f"{TOKENS}?owner=v").json()["results"]] == ["v"]
    assert clients["v"].get(f"{TOKENS}?owner=root").status_code == 403
    assert clients["v"].get(f"{TOKENS}?owner=v").status_code == 200
    assert clients["root"].get(f"{TOKENS}?owner=nobody").status_code == 404
    assert clients["v"].get(f"{TOKENS}{Token.objects.get(user=root).pk}/").status_code == 404
    assert clients["root"].get(f"{TOKENS}{row.pk}/").json()["owner"] == "v"


def test_a_session_makes_a_token_that_it_shows_once() -> None:
    client = Client()
    client.force_login(somebody("op"))
    made = post(TOKENS, {"name": "ci", "role": "requester", "expires_in": 60}, client)
    assert made.status_code == 201
    assert made["Location"] == made.json()["url"]
    shown = client.get(f"{TOKENS}{made.json()['id']}/").json()
    assert {**shown, "token": made.json()["token"]} == made.json()
    assert shown["role"] == "requester"


def test_a_token_makes_none_that_may_more_or_lives_longer_than_itself() -> None:
    operator = somebody("op")
    client = sending(token_of(operator, role=Role.VIEWER, seconds=3600))
    assert post(TOKENS, {"name": "x", "role": "operator"}, client).json()["field"] == "role"
    assert post(TOKENS, {"name": "x", "expires_in": 3700}, client).json()["field"] == "expires_in"
    made = post(TOKENS, {"name": "x"}, client).json()
    assert made["role"] == "viewer"
    parent, child = Token.objects.order_by("pk")
    assert child.expires <= parent.expires


def test_a_token_is_revoked_by_its_owner_and_by_nobody_elses() -> None:
    owner, other = somebody("op"), somebody("other")
    client, foreign = sending(token_of(owner)), sending(token_of(other))
    path = f"{TOKENS}{Token.objects.get(user=owner).pk}/"
    assert foreign.delete(path).status_code == 404
    weak = sending(token_of(owner, role=Role.VIEWER))
    assert weak.delete(path).status_code == 403
    assert client.delete(path, headers={"If-Match": '"of another"'}).status_code == 412
    gone = client.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(WHO).status_code == 401


def test_who_is_known_by_their_network_alone_has_no_tokens(settings: Settings) -> None:
    settings.MOZPOOL_TRUSTED_OPERATOR_NETWORKS = (ip_network("192.0.2.0/24"),)
    client = Client(REMOTE_ADDR="192.0.2.5")
    assert client.get(WHO).json() == {
        "name": "legacy@192.0.2.5", "role": "operator", "by": "network", "token": None,
    }  # fmt: skip
    for answer in (client.get(TOKENS), post(TOKENS, {"name": "x"}, client), client.delete(f"{TOKENS}1/")):
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("https", "address", "secure", "refused"),
    [
        (True, "192.0.2.5", False, True),
        (True, "192.0.2.5", True, False),
        (True, "127.0.0.1", False, False),
        (False, "192.0.2.5", False, False),
    ],
)
def test_no_password_and_no_token_is_taken_in_the_clear_where_there_is_https(
    settings: Settings, https: bool, address: str, secure: bool, refused: bool
) -> None:
    settings.SECURE_SSL_REDIRECT = https
    _, text = tokens.create(ada(), "laptop", by=Actor("ada", "api", ""))
    client = Client(REMOTE_ADDR=address)
    with_token = client.get(WHO, HTTP_AUTHORIZATION=f"Bearer {text}", secure=secure)
    body = json.dumps({"username": "ada", "password": "correct horse"})
    with_password = client.post(LOGIN, body, content_type="application/json", secure=secure)
    told = (with_token.status_code, with_password.status_code)
    assert told == ((403, 403) if refused else (200, 201))
    if refused:
        assert "HTTPS" in with_token.json()["detail"]
        assert not Failures.objects.exists()
        assert Token.objects.count() == 1
