"""No bad call of the v2 API gets a 5xx: each gets its exact problem, as the schema has it, and none leaves a trace."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from devices.models import HardwareType
from mozpool_site.access import tokens
from mozpool_site.access.models import Failures
from mozpool_site.statemachine.runner import Actor
from requests_app.webhooks.services import subscribe
from tests.integration.api.pool import at, person
from tests.integration.api.unchanged import Unchanged, Watch
from tests.integration.api.v2 import bad_calls, bad_values
from tests.integration.api.v2.bad_calls import CODES, Bad
from tests.integration.api.v2.calls import BASE, problem, send
from tests.integration.api.v2.test_answers import SCHEMA

CASES = [
    *bad_calls.QUERIES, *bad_calls.PATHS, *bad_calls.TRANSPORT,
    *bad_values.REQUESTS, *bad_values.ACTIONS, *bad_values.INVENTORY, *bad_values.ACCESS,
]  # fmt: skip
# Enough that both processes of a parallel run have their share, few enough that the pool is seldom built.
PARTS = 20
# Who sends bad tokens is counted.
COUNTED = "access_failures"


@pytest.fixture
def rows(settings: Settings) -> dict[str, str]:
    """Make what the ids in the cases' paths stand for."""
    settings.MOZPOOL_WEBHOOK_HOSTS = ("hooks.example",)
    settings.MOZPOOL_TRUSTED_NETWORKS = (ip_network("10.1.0.0/16"),)
    operator = at("10.2.0.5")
    made = send(operator, "POST", "requests/", {"image": "android", "device": "device3"}).json()
    ended = send(operator, "POST", "requests/", {"image": "android", "device": "device2"}).json()
    send(operator, "POST", f"requests/{ended['id']}/return/", {})
    work = send(operator, "POST", "devices/norelay/ping/", {}).json()["operation"]
    by = Actor("root", "user")
    token, _ = tokens.create(User.objects.create(username="eve", is_superuser=True), "x", by=by)
    webhook = subscribe(url="https://hooks.example/x", events=["request.*"], by=by)
    hardware = HardwareType.objects.get()
    return {
        "request": made["id"], "ended": ended["id"], "operation": work["id"], "token": token.pk, "webhook": webhook.pk,
        "hardware": hardware.pk, "held": "device3",
    }  # fmt: skip


@pytest.fixture
def ada(rows: dict[str, str]) -> Client:
    return person("ada", "admin")


def path_of(bad: Bad, rows: dict[str, str]) -> str:
    path = bad.path
    for name, value in rows.items():
        path = path.replace(f"{{{name}}}", str(value))
    return path


def called(bad: Bad, client: Client, rows: dict[str, str]) -> Any:
    body = bad.body
    if not isinstance(body, bytes):
        body = b"" if body is None else json.dumps(body).encode()
    path = BASE + path_of(bad, rows)
    return client.generic(bad.method, path, body, content_type=bad.kind, headers=dict(bad.headers))


def check(bad: Bad, client: Client, rows: dict[str, str]) -> None:
    answer = called(bad, client, rows)
    assert problem(answer, bad.status, bad.code or CODES[bad.status], bad.field)
    assert len(answer.content) < 4000
    if operation := operation_of(bad):
        assert str(bad.status) in operation["responses"], "answered, but not in the schema"


@pytest.mark.on_sqlite
@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_call_gets_its_problem_and_changes_nothing(
    part: int, ada: Client, rows: dict[str, str], subtests: pytest.Subtests
) -> None:
    watch = Watch()
    for bad in [bad for bad in CASES if bad.status != 422][part::PARTS]:
        with subtests.test(bad.name):
            check(bad, at("192.0.2.6") if bad.status == 401 else ada, rows)
            assert set(watch.changed()) <= {COUNTED if bad.status == 401 else ""}
        if bad.status == 401:
            # Else so many from one address would be told to wait.
            Failures.objects.all().delete()
            watch.changed()


# In the transaction that a test usually runs in, a step could not take back what it began.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bad", [bad for bad in CASES if bad.status == 422], ids=lambda bad: bad.name)
def test_what_nothing_could_ever_meet_is_refused_and_changes_nothing(
    bad: Bad, transactional_db: None, ada: Client, rows: dict[str, str], unchanged: Unchanged
) -> None:
    with unchanged():
        check(bad, ada, rows)


def operation_of(bad: Bad) -> dict[str, Any] | None:
    """Give what the schema has for a case; None for a path or method that is not there."""
    for path, operations in SCHEMA["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        if re.fullmatch(pattern, BASE + bad.path.partition("?")[0]):
            found: dict[str, Any] | None = operations.get(bad.method.lower())
            return found
    return None


def test_every_operation_of_the_schema_has_its_bad_calls() -> None:
    called_for = [id(operation_of(bad)) for bad in CASES if bad.status != 405]
    every = {
        f"{method} {path}": id(operation)
        for path, operations in SCHEMA["paths"].items()
        for method, operation in operations.items()
    }
    assert len(every) > 60
    assert sorted(name for name, operation in every.items() if operation not in called_for) == []


def test_every_path_that_is_served_has_its_bad_calls(rows: dict[str, str]) -> None:
    served = {
        name_of(view) for route, view in views(get_resolver().url_patterns) if route.startswith("api/v2/")
    }
    called_for = set()
    for bad in CASES:
        path = path_of(bad, rows).partition("?")[0]
        if "%" not in path:
            called_for.add(name_of(get_resolver().resolve(BASE + path).func))
    assert len(served) > 20
    assert served - called_for == set()


def name_of(view: Any) -> str:
    """Name a view; the paths of a viewset are told apart by its actions."""
    return f"{view.__module__}.{view.__qualname__} {sorted(getattr(view, 'actions', {}).items())}"


def views(patterns: list[URLPattern | URLResolver], route: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, here)
        else:
            yield here, pattern.callback


def test_the_cases_have_names_of_their_own() -> None:
    assert len({bad.name for bad in CASES}) == len(CASES) > 1000


def test_a_body_in_chunks_is_not_taken_for_an_empty_one(ada: Client) -> None:
    answer = ada.generic(
        "POST", f"{BASE}requests/", b"", content_type="application/json",
        headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH="",
    )  # fmt: skip
    problem(answer, 411, "length_required")


def test_the_same_key_with_another_body_is_refused(ada: Client, unchanged: Unchanged) -> None:
    body = {"image": "android", "device": "device1"}
    assert send(ada, "POST", "requests/", body, idempotency_key="nightly").status_code == 201
    with unchanged():
        again = send(ada, "POST", "requests/", {**body, "priority": 1}, idempotency_key="nightly")
    problem(again, 422, "idempotency_mismatch", "Idempotency-Key")


def test_a_body_of_32_levels_and_one_of_64_kb_are_read(ada: Client) -> None:
    deep = ada.generic(
        "PATCH", f"{BASE}devices/device1/", bad_calls.nested(32), content_type="application/json"
    )
    problem(deep, 400, "invalid", "comments")
    full = b"{}" + b" " * (64 * 1024 - 2)
    assert (
        ada.generic("PATCH", f"{BASE}devices/device1/", full, content_type="application/json").status_code
        == 200
    )


@pytest.mark.parametrize(
    "url", ["http://receiver:8080/x", "https://hooks.example/x?y=%20", "http://[::1]:8080/"]
)
def test_a_webhook_of_a_request_may_go_wherever_one_of_the_pool_may(
    ada: Client, settings: Settings, url: str
) -> None:
    settings.MOZPOOL_WEBHOOK_HOSTS = ("receiver", "hooks.example", "[::1]")
    assert send(ada, "POST", "webhooks/", {"url": url, "events": ["request.*"]}).status_code == 201
    assert send(ada, "POST", "requests/", {"image": "android", "webhook": {"url": url}}).status_code == 201


@pytest.mark.parametrize("duration", [60, "60", 60.0])
def test_a_duration_may_be_sent_as_a_number_or_as_its_digits(
    ada: Client, rows: dict[str, str], duration: object
) -> None:
    answer = send(ada, "POST", f"requests/{rows['request']}/renew/", {"duration": duration})
    assert (answer.status_code, 55 < answer.json()["seconds_left"] <= 60) == (200, True)
