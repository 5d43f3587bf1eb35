"""No bad call of the legacy API gets a 5xx: each gets its exact status and error, and none leaves a trace."""

import json

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from bmm.netboot import boot_token
from devices.models import BootConfig
from tests.integration.api import pool
from tests.integration.api.legacy_bad_calls import ANY, B2G, CASES, GOOD, Bad, name_of, nested
from tests.integration.api.unchanged import Unchanged, Watch

# Few, for each builds the pool.
PARTS = 10
ERRORS = {
    400: "invalid",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    411: "length_required",
    413: "too_large",
}


@pytest.mark.on_sqlite
@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_call_gets_its_error_and_changes_nothing(
    part: int, operator: Client, subtests: pytest.Subtests
) -> None:
    watch = Watch()
    for bad in CASES[part::PARTS]:
        with subtests.test(name_of(bad)):
            check(bad, operator)
            assert watch.changed() == []


def check(bad: Bad, operator: Client) -> None:
    path = bad.path.replace("{token}", boot_token(django_settings.MOZPOOL_BOOT_KEYS[0], "device1", 0))
    body = bad.body
    if not isinstance(body, bytes):
        body = b"" if body is None else json.dumps(body).encode()
    answer = operator.generic(
        bad.method, path, body, content_type="application/json", headers=dict(bad.headers)
    )
    assert answer.status_code == bad.status, answer.content
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    if bad.method != "HEAD":
        error = json.loads(answer.content)
        assert (set(error) - {"field"}, error.get("field")) == ({"error", "detail"}, bad.field)
        assert error["error"] == ERRORS[bad.status]
        assert error["detail"]
        assert len(answer.content) < 2000


def test_every_path_of_the_legacy_api_has_its_bad_calls() -> None:
    served = {callback for route, callback in views(get_resolver().url_patterns) if is_legacy(route)}
    called = set()
    for bad in CASES:
        path = bad.path.partition("?")[0]
        if not any(odd in path for odd in ("%", "//", "..")) and path.startswith("/api/"):
            called.add(get_resolver().resolve(path).func)
    assert len(served) > 25
    assert served - called == set()


def is_legacy(route: str) -> bool:
    return route.startswith("api/") and not route.startswith("api/v2/")


def views(patterns: list[URLPattern | URLResolver], route: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for pattern in patterns:
        here = route + str(pattern.pattern)
        found += (
            views(pattern.url_patterns, here)
            if isinstance(pattern, URLResolver)
            else [(here, pattern.callback)]
        )
    return found


def test_the_cases_have_names_of_their_own() -> None:
    assert len({name_of(bad) for bad in CASES}) == len(CASES) > 400


def test_an_error_about_a_state_lists_the_states_that_there_are(operator: Client) -> None:
    detail = pool.post(operator, "/api/device/device1/state-change/ready/to/nosuch/").json()["detail"]
    assert {"ready", "locked_out", "troubleshooting"} <= set(detail.partition("there are: ")[2].split(", "))


def test_a_boot_config_that_is_not_in_use_is_refused(operator: Client, unchanged: Unchanged) -> None:
    BootConfig.objects.filter(name="fake-b2g").update(active=False)
    with unchanged():
        answer = pool.post(operator, "/api/device/device1/power-cycle/", {"pxe_config": "fake-b2g"})
    assert (answer.status_code, answer.json()["field"]) == (400, "pxe_config")


def test_a_body_without_a_length_is_not_taken_for_an_empty_one(operator: Client) -> None:
    answer = operator.post("/api/request/1/renew/", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    assert (answer.status_code, answer.json()["error"]) == (411, "length_required")


def test_a_host_that_is_not_ours_gets_json_too(operator: Client) -> None:
    answer = operator.get("/api/device/list/", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")


@pytest.mark.parametrize(
    "value",
    ["http://x/y", "https://X:8443/y?z=1#t", "http://a.build.example/y", "http://build.example", "http://[::1]/y",
     "2026-11-22-03-02-01", "mozilla-central/123", 7, True],
)  # fmt: skip
def test_a_good_build_value_is_kept_as_it_came(operator: Client, value: object) -> None:
    answer = pool.post(operator, ANY, {**B2G, "b2gbase": value})
    assert json.loads(answer.json()["request"]["boot_config"]) == {"b2gbase": value}


def test_a_body_of_32_levels_and_one_of_64_kb_are_read(operator: Client) -> None:
    path = "/api/device/device1/event/foo/"
    for body in (nested(32), b"{}" + b" " * (64 * 1024 - 2)):
        assert operator.generic("POST", path, body).status_code == 200


def test_every_character_of_unicode_can_be_an_assignee(operator: Client) -> None:
    name = "J\u00fcrgen \U0001f600 <b>"
    assert pool.post(operator, ANY, {**GOOD, "assignee": name}).json()["request"]["assignee"] == name
