"""Who may call what: every path of the legacy API and below /boot/, by every kind of caller."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from bmm import asking
from devices.models import Device, Journal
from requests_app.models import Request
from tests.integration.api import pool
from tests.integration.api.conftest import OLD_CLIENT, OPERATOR, STRANGER

ORDER = {"assignee": "me@x", "duration": 3600, "image": "b2g", "b2gbase": "http://x/secret"}
BODIES: dict[str, dict[str, object]] = {
    "request": ORDER,
    "renew": {"duration": 60},
    "set-comments": {"comments": "loose cable"},
    "set-environment": {"environment": "staging"},
}
CALLERS = ("stranger", "no role", "viewer", "requester", "operator", "admin", "old client", "operators' net")

READ = (401, 403, 200, 200, 200, 200, 200, 200)
FILE = (401, 403, 403, 200, 200, 200, 200, 200)
# The request is an old client's.
CHANGE = (401, 403, 403, 403, 204, 204, 204, 204)
EVENT = (401, 403, 403, 403, 200, 200, 403, 200)
# A GET that changes something: nobody but legacy mode, and there as a POST would.
EVENT_BY_GET = (401, 403, 403, 405, 405, 405, 403, 200)
SECRET = (401, 403, 403, 403, 200, 200, 200, 200)
OWN_EVENT, OWN_EVENT_BY_GET = SECRET, (401, 403, 403, 405, 405, 405, 200, 200)
OPERATE = (401, 403, 403, 403, 200, 200, 403, 200)
# A device that somebody has keeps its environment.
OPERATE_UNLESS_HELD = (401, 403, 403, 403, 409, 409, 403, 409)
OPERATE_BY_GET = (401, 403, 403, 403, 405, 405, 403, 200)
# Whoever may is told that no worker of the rack runs.
ASK_A_WORKER = (401, 403, 403, 403, 503, 503, 403, 503)
TOKEN = (403,) * 8
# Holds nothing that is not the same for every MAC address.
OPEN = (200,) * 8

MATRIX = {
    ("POST", "/api/device/any/request"): FILE,
    ("GET", "/api/device/list"): READ,
    ("GET", "/api/device/{held}/state"): READ,
    ("GET", "/api/device/{held}/status"): READ,
    ("GET", "/api/device/{held}/bootconfig"): SECRET,
    ("POST", "/api/device/{held}/event/foo"): EVENT,
    ("GET", "/api/device/{held}/event/foo"): EVENT_BY_GET,
    ("GET", "/api/version"): READ,
    ("GET", "/api/image/list"): READ,
    ("GET", "/api/environment/list"): READ,
    ("GET", "/api/device/{held}/log"): READ,
    ("POST", "/api/device/{held}/set-comments"): OPERATE,
    ("POST", "/api/device/{held}/set-environment"): OPERATE_UNLESS_HELD,
    ("POST", "/api/device/{held}/state-change/pxe_power_cycling/to/ready"): OPERATE,
    ("POST", "/api/device/{held}/power-cycle"): SECRET,
    ("POST", "/api/device/{held}/power-off"): OPERATE,
    ("GET", "/api/device/{held}/power-off"): OPERATE_BY_GET,
    ("POST", "/api/device/{held}/clear-pxe"): OPERATE,
    ("GET", "/api/device/{held}/ping"): ASK_A_WORKER,
    ("GET", "/api/relay/relay-dead/test"): ASK_A_WORKER,
    ("GET", "/api/bmm/pxe_config/list"): OPERATE,
    ("GET", "/api/bmm/pxe_config/fake-b2g/details"): OPERATE,
    ("GET", "/api/request/list"): READ,
    ("GET", "/api/request/{id}/details"): READ,
    ("GET", "/api/request/{id}/status"): READ,
    ("GET", "/api/request/{id}/log"): READ,
    ("POST", "/api/request/{id}/renew"): CHANGE,
    ("POST", "/api/request/{id}/return"): CHANGE,
    ("POST", "/api/request/{id}/event/foo"): OWN_EVENT,
    ("GET", "/api/request/{id}/event/foo"): OWN_EVENT_BY_GET,
    ("POST", "/boot/{held}/no-token/event/foo"): TOKEN,
    ("GET", "/boot/{held}/no-token/second-stage"): TOKEN,
    ("GET", "/boot/{held}/no-token/config"): TOKEN,
    ("GET", "/boot/{held}/no-token/ipxe"): TOKEN,
    ("GET", "/boot/{held}/no-token/grub.cfg"): TOKEN,
    ("POST", "/boot/{held}/no-token/log"): TOKEN,
    ("GET", "/boot/check/no-token"): TOKEN,
    ("GET", "/boot/ipxe"): OPEN,
    ("GET", "/boot/grub/grub.cfg-01-02-00-00-00-00-01"): OPEN,
}


def client_of(caller: str) -> Client:
    addresses = {"stranger": STRANGER, "old client": OLD_CLIENT, "operators' net": OPERATOR}
    if caller in addresses:
        return pool.at(addresses[caller])
    return pool.person("somebody", None if caller == "no role" else caller)


@pytest.fixture
def request_of_old_client() -> Request:
    """File a request with a boot config, as another old client."""
    answer = pool.post(pool.at("10.1.7.7"), "/api/device/any/request/", ORDER)
    return Request.objects.get(pk=answer.json()["request"]["id"])


@pytest.mark.on_sqlite
@pytest.mark.parametrize(("method", "path"), MATRIX, ids=" ".join)
def test_each_call_is_for_those_whom_the_table_names(
    method: str,
    path: str,
    request_of_old_client: Request,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.05)
    held = Device.objects.get(held_by=request_of_old_client.pk)
    bare = path.format(held=held.name, id=request_of_old_client.pk)
    # A loader's file has one name.
    names = [bare] if "grub.cfg-" in path else [bare, bare + "/"]
    for caller, status in zip(CALLERS, MATRIX[method, path], strict=True):
        for full in names:
            with subtests.test(f"{full} by {caller}: {status}"), transaction.atomic():
                answer = called(client_of(caller), method, full)
                assert answer.status_code == status, answer.content
                assert status != 401 or answer.json()["error"] == "not_authenticated"
                # The next caller finds everything as this one did.
                transaction.set_rollback(True)


def called(client: Client, method: str, full: str) -> Any:
    body = BODIES.get(full.rstrip("/").rpartition("/")[2], {})
    return pool.post(client, full, body) if method == "POST" else client.get(full)


def views(patterns: list[URLPattern | URLResolver], route: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, here)
        else:
            yield here, pattern


def test_no_path_is_missing_from_the_table() -> None:
    served = {
        pattern.callback
        for route, pattern in views(get_resolver().url_patterns)
        if route.startswith(("api/", "boot/")) and not route.startswith("api/v2/")
    }
    asked = {get_resolver().resolve(path.format(held="device1", id=1)).func for _, path in MATRIX}
    assert served == asked


def test_a_requester_sees_the_boot_config_of_their_own_request_only(request_of_old_client: Request) -> None:
    one, other = pool.person("one", "requester"), pool.person("other", "requester")
    filed = pool.post(one, "/api/device/any/request/", ORDER).json()["request"]
    assert filed["boot_config"] == '{"b2gbase": "http://x/secret"}'
    details = f"/api/request/{filed['id']}/details/"
    bootconfig = f"/api/device/{filed['assigned_device']}/bootconfig/"
    assert one.get(details).json()["boot_config"] == filed["boot_config"]
    assert one.get(bootconfig).json() == {"b2gbase": "http://x/secret"}
    assert other.get(details).json()["boot_config"] == "***"
    assert other.get(bootconfig).status_code == 403
    shown = [entry["boot_config"] for entry in one.get("/api/request/list/").json()["requests"]]
    assert shown == ["***", filed["boot_config"]]


def test_what_is_installed_is_masked_for_those_who_do_not_hold_the_device(operator: Client) -> None:
    Device.objects.filter(name="device1").update(boot_config='{"b2gbase": "http://x/secret"}')
    seen = {
        caller: client.get("/api/device/list/?details").json()["devices"][0]["boot_config"]
        for caller, client in (("viewer", pool.person("v", "viewer")), ("operator", operator))
    }
    assert seen == {"viewer": "***", "operator": '{"b2gbase": "http://x/secret"}'}


def test_the_log_of_a_device_tells_its_boot_config_to_nobody(
    operator: Client, request_of_old_client: Request
) -> None:
    held = Device.objects.get(held_by=request_of_old_client.pk).name
    told = operator.get(f"/api/device/{held}/status/").json()["log"][0]["message"]
    assert told == "setting next image to b2g"
    assert not Journal.objects.filter(message__contains="secret").exists()


def test_a_requester_returns_their_own_request_and_an_operator_every_one() -> None:
    one, other = pool.person("one", "requester"), pool.person("other", "requester")
    path = f"/api/request/{pool.post(one, '/api/device/any/request/', ORDER).json()['request']['id']}/return/"
    assert [pool.post(client, path).status_code for client in (other, one)] == [403, 204]
    assert pool.post(pool.person("op", "operator"), path).status_code == 204


def test_old_clients_share_their_requests_but_have_no_hand_in_peoples(old_client: Client) -> None:
    person = pool.person("one", "requester")
    filed = pool.post(person, "/api/device/any/request/", ORDER).json()["request"]["id"]
    assert pool.post(old_client, f"/api/request/{filed}/return/").status_code == 403


def test_a_superuser_needs_no_group() -> None:
    client = Client()
    client.force_login(User.objects.create(username="root", is_superuser=True))
    assert pool.post(client, "/api/device/device1/event/foo/").status_code == 200


def test_the_highest_of_several_groups_counts() -> None:
    client = pool.person("many", "viewer")
    User.objects.get(username="many").groups.add(Group.objects.get_or_create(name="requester")[0])
    assert pool.post(client, "/api/device/any/request/", ORDER).status_code == 200


def test_a_user_whose_name_would_pass_for_an_old_client_is_refused() -> None:
    assert pool.person("legacy@10.1.0.5", "requester").get("/api/device/list/").status_code == 403


def test_a_session_posts_only_with_its_csrf_token() -> None:
    client = pool.person("one", "requester", enforce_csrf_checks=True)
    refused = pool.post(client, "/api/device/any/request/", ORDER)
    assert (refused.status_code, refused.json()["detail"].split(":")[0]) == (403, "CSRF check failed")
    client.get("/login/")
    client.defaults["HTTP_X_CSRFTOKEN"] = client.cookies["csrftoken"].value
    assert pool.post(client, "/api/device/any/request/", ORDER).status_code == 200


@pytest.mark.parametrize("path", ["/api/device/any/request/", "/api/device/device1/event/foo/"])
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", ""),
        ("Referer", "http://evil.example/page"),
        ("Cookie", "theme=dark"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
    ],
)
def test_a_browser_without_a_session_is_refused_on_a_trusted_network(
    path: str, header: str, value: str
) -> None:
    answer = pool.post(pool.at(OPERATOR, **{header: value}), path, ORDER)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert Request.objects.count() == 0


def test_a_session_that_has_ended_is_a_browser_without_a_session() -> None:
    client = pool.at(OLD_CLIENT)
    client.cookies["sessionid"] = "0123456789abcdefghijklmnopqrstuv"
    assert client.get("/api/device/list/").status_code == 403


@pytest.mark.parametrize("origin", ["http://other.server:1234", "HTTP://Other.Server:1234"])
def test_scripts_of_a_listed_origin_may_call_and_read_the_answer(origin: str) -> None:
    answer = pool.at(OLD_CLIENT, Origin=origin, Referer=f"{origin}/ui").get("/api/device/list/")
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)


@pytest.mark.parametrize(
    "origin", ["http://other.server", "http://other.server:12345", "https://other.server:1234"]
)
def test_the_list_of_origins_is_exact(origin: str) -> None:
    answer = pool.at(OLD_CLIENT, Origin=origin).get("/api/device/list/")
    assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (403, None)


@pytest.mark.parametrize("path", [path for _, path in MATRIX if path.startswith("/api/")])
def test_a_script_of_a_listed_origin_is_told_that_it_may_call_every_path(path: str) -> None:
    """A preflight comes without credentials, from anywhere."""
    origin = "http://other.server:1234"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Sec-Fetch-Mode": "cors"}
    for slash in ("", "/"):
        answer = pool.at(STRANGER, **asked).options(path.format(held="device1", id=1) + slash)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
        assert answer.headers["Access-Control-Max-Age"] == "600"
        allowed = answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert [method for method, there in MATRIX if there == path and method not in allowed] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
        {"Origin": "http://other.server:1234"},
        {"Access-Control-Request-Method": "POST"},
    ],
    ids=["another origin", "no preflight", "no origin"],
)
def test_every_other_options_call_is_a_wrong_method(headers: dict[str, str]) -> None:
    answer = pool.at(STRANGER, **headers).options("/api/device/device1/event/foo/")
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert "Access-Control-Allow-Methods" not in answer.headers


def test_a_script_of_a_listed_origin_may_read_an_error_too() -> None:
    origin = "http://other.server:1234"
    answer = pool.at(OLD_CLIENT, Origin=origin).get("/api/device/nosuch/state/")
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (404, origin)


def test_credentials_that_we_do_not_take_are_not_overlooked() -> None:
    assert pool.at(OPERATOR, Authorization="Token abc").get("/api/device/list/").status_code == 401


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("10.3.0.1", "10.1.0.5", 200),
        ("10.3.0.1", "192.0.2.9", 401),
        ("10.3.0.1", "10.1.0.5, 192.0.2.9", 401),
        ("10.3.0.1", "192.0.2.9, 10.1.0.5, 10.3.0.2", 200),
        ("10.3.0.1", "10.1.0.5, junk", 401),
        ("10.3.0.1", "", 401),
        ("10.3.0.1", None, 401),
        ("192.0.2.9", "10.1.0.5", 401),
        ("10.1.0.5", "192.0.2.9", 200),
        ("::ffff:10.1.0.5", None, 200),
        ("", "10.1.0.5", 401),
    ],
)
def test_forwarded_addresses_count_behind_listed_proxies_only(
    peer: str, forwarded: str | None, status: int
) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert pool.at(peer, **headers).get("/api/device/list/").status_code == status


def test_a_proxy_in_a_trusted_network_lends_its_trust_to_nobody(settings: Settings) -> None:
    settings.MOZPOOL_TRUSTED_NETWORKS = settings.MOZPOOL_TRUSTED_PROXIES
    assert pool.at("10.3.0.1").get("/api/device/list/").status_code == 401


def test_the_migrations_make_the_four_groups() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {"viewer", "requester", "operator", "admin"}
