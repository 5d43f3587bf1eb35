"""Hostile and clumsy calls: each gets its exact status and a JSON error, and none leaves a trace in the pool."""

import json
from dataclasses import dataclass

import pytest
from django.conf import settings as django_settings
from django.test import Client

from bmm.netboot import boot_token
from devices.models import Device, Journal
from requests_app.models import Request
from tests.integration.api import pool

ANY = "/api/device/any/request/"
GOOD = {"assignee": "me@x", "duration": 60, "image": "android"}
B2G = {**GOOD, "image": "b2g"}


@dataclass(frozen=True)
class Bad:
    """A call, the status that it must get, and the field that the error must name."""

    status: int
    path: str
    body: object = None
    field: str | None = None
    method: str = "POST"
    why: str = ""


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in GOOD.items() if name != key}


def with_value(key: str, value: object) -> dict[str, object]:
    return {**GOOD, key: value}


def b2g(base: object) -> Bad:
    return Bad(400, ANY, {**B2G, "b2gbase": base}, "b2gbase", why=f"b2gbase {base!r:.60}")


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


BODIES = [
    b"[]", b"null", b"1", b'"text"', b"true", b"{", b"}", b"{]", b"nonsense", b"{'a': 1}", b'{"a": NaN}',
    b'{"duration": Infinity}', b'{"a": "\x00"}', b"\x00", b'{"a": "\\u0000"}', b'{"a": "\\ud800"}', b'{"\\u0000": 1}',
    b"\xff\xfe{\x00}\x00", b'{"a": "\xff"}', b"\xef\xbb\xbf{}", nested(33), b"[" * 60_000, b'{"a":' * 9_000,
    b'{"duration": ' + b"9" * 5_000 + b"}", b"assignee=me&duration=60&image=android", b"--x\r\n\r\n--x--",
]  # fmt: skip
DURATIONS: list[object] = [
    0, -1, 1.9, "1.9", "-1", "", " 60", "60 ", "+60", "6_0", "0x10", "\u0666\u0660", None, True, False, [], {}, [60],
    1e12, 10**13, 10**400, "9" * 13, 30 * 24 * 3600 + 1, "abc",
]  # fmt: skip
URLS: list[object] = [
    None, "", "  ", [], {"a": 1}, 1.5, 2**63, "http://elsewhere/y", "https://x.evil/y", "ftp://x/y", "file:///etc/passwd",
    "javascript:alert(1)", "http://me:secret@x/y", "http://x@elsewhere/y", "http://x\\@elsewhere/y", "http://x:0/y",
    "http://x:99999/y", "http://x:abc/y", "http://[::1/y", "//elsewhere/y", "http:///y", "http://x/a b", "http://x/a\nb",
    " http://elsewhere/y", "\thttp://x/y", "http://x/'; reboot", "http://x/`id`", "see http://elsewhere/y",
    "http://build.example.evil/y", "http://evilbuild.example/y", "x" * 2001, "http://x/" + "y" * 2000,
]  # fmt: skip

NO_NAMES: list[object] = [None, 7, [], {}, True, "", " ", "x" * 101]

CASES = [
    *(Bad(400, ANY, body, "body", why=f"body {body[:40]!r}") for body in BODIES),
    *(
        Bad(400, path, b"[]", "body", why="a list for a body")
        for path in ("/api/request/1/renew/", "/api/request/1/return/", "/api/device/device1/event/foo/")
    ),
    Bad(413, ANY, b'{"a": "' + b"x" * 70_000 + b'"}', "body", why="70 kB"),
    Bad(413, "/api/request/1/return/", b" " * 65_537, "body", why="one byte over 64 kB"),
    Bad(400, ANY, None, "assignee", why="no body"),
    *(Bad(400, ANY, without(key), key, why=f"without {key}") for key in GOOD),
    *(
        Bad(400, ANY, with_value("duration", value), "duration", why=f"duration {value!r:.30}")
        for value in DURATIONS
    ),
    Bad(400, ANY, b'{"assignee": "me", "image": "android", "duration": 1e400}', "duration", why="beyond floats"),
    *(
        Bad(400, ANY, with_value(key, value), key, why=f"{key} {value!r:.30}")
        for key in ("assignee", "image", "environment")
        for value in NO_NAMES
    ),
    *(
        Bad(400, ANY, with_value("environment", value), "environment", why=f"environment {value!r}")
        for value in ("a b", "a/b", "-a", "a\nb", "\u00e9", "x" * 65)
    ),
    *(
        Bad(404, ANY, with_value("image", value), "image", why=f"image {value!r}")
        for value in ("nosuch", "../b2g", "b2g ", "andr\u00f6id", "%", "b2g' OR 1=1")
    ),
    Bad(400, ANY, B2G, "b2gbase", why="a key of the image missing"),
    *(b2g(url) for url in URLS),
    *(
        Bad(404, f"/api/device/{name}/request/", GOOD, "device", why=f"device {name}")
        for name in ("nosuch", "ANY%20", "device1%20", "d%C3%A9vice1", "%00", "%ff", "-", "..", "x" * 300, "%0a")
    ),
    *(
        Bad(404, f"/api/device/{name}/{page}/", None, "device", "GET", why=f"{page} of {name}")
        for page in ("state", "status", "bootconfig")
        for name in ("nosuch", "%00", "device1%27")
    ),
    *(Bad(404, "/api/device/nosuch/event/foo/", None, "device", method) for method in ("GET", "POST")),
    *(
        Bad(400, f"/api/device/device1/event/{name}/", None, "event", why=f"event {name[:20]}")
        for name in ("a%20b", "%00", "%3Cscript%3E", "x" * 101, "%0a", "%F0%9F%98%80")
    ),
    *(
        Bad(400, f"/api/request/{number}/{page}/", {"duration": 60}, "request", method, why=f"{page} of {number}")
        for method, page in (("GET", "details"), ("POST", "renew"))
        for number in ("abc", "-1", "1.0", "0x1", "%D9%A1", "%00", "1%20", "+1")
    ),
    *(
        Bad(404, f"/api/request/{number}/{page}/", {"duration": 60}, "request", method, why=f"{page} of {number}")
        for method, page in (
            ("GET", "details"), ("GET", "status"), ("GET", "log"), ("POST", "renew"), ("POST", "return"),
        )
        for number in ("0", "999999999", str(2**63), "9" * 400)
    ),
    *(
        Bad(404, f"/api/request/abc/{page}/", None, "request", method)
        for method, page in (("GET", "status"), ("GET", "log"), ("POST", "return"))
    ),
    *(
        Bad(405, path, None, None, method)
        for path, methods in {
            ANY: ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"),
            "/api/device/list/": ("POST", "PUT", "OPTIONS"),
            "/api/device/device1/state/": ("POST", "DELETE"),
            "/api/device/device1/event/foo/": ("HEAD", "PUT", "OPTIONS"),
            "/api/request/1/renew/": ("GET",),
            "/api/request/1/return/": ("GET",),
            "/api/request/1/details/": ("POST",),
        }.items()
        for method in methods
    ),
    *(
        Bad(404, path, None, None, method, why="no such path")
        for path in (
            "/api/nosuch/", "/api", "/api/", "/api/device/", "/api/device/device1/", "/api/device//state/",
            "/api/device/device1/state//", "/api/request/1/", "/api/%00", "/api/a%0ab", "/boot", "/boot/device1",
            "/api/device/../device1/state/x",
        )
        for method in ("GET", "POST")
    ),
    *(
        Bad(403, f"/boot/device1/{token}/event/mobile_init_started", None, "token", why=f"token {token[:20]}")
        for token in ("x", "%00", "%ff", "A" * 22, "A" * 5000, "%C3%A9", "None", "null")
    ),
    Bad(400, "/boot/device1/{token}/event/a%20b", None, "event"),
    Bad(400, "/boot/device1/{token}/event/foo", b"[]", "body"),
    Bad(413, "/boot/device1/{token}/event/foo", b" " * 65_537, "body", why="one byte over 64 kB"),
]  # fmt: skip


def pool_as_it_is() -> tuple[object, ...]:
    return (
        list(Device.objects.order_by("pk").values()),
        list(Request.objects.order_by("pk").values()),
        Journal.objects.count(),
    )


@pytest.mark.parametrize(
    "bad", CASES, ids=lambda bad: f"{bad.status} {bad.method} {bad.path[:50]} {bad.why}"[:110]
)
def test_a_bad_call_gets_its_status_and_changes_nothing(bad: Bad, operator: Client) -> None:
    before = pool_as_it_is()
    token = boot_token(django_settings.MOZPOOL_BOOT_KEYS[0], "device1", 0)
    body = (
        bad.body
        if isinstance(bad.body, bytes)
        else b""
        if bad.body is None
        else json.dumps(bad.body).encode()
    )
    path = bad.path.replace("{token}", token)
    answer = operator.generic(bad.method, path, body, content_type="application/json")
    assert answer.status_code == bad.status, answer.content
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    if bad.method != "HEAD":
        error = json.loads(answer.content)
        assert (set(error) - {"field"}, error.get("field")) == ({"error", "detail"}, bad.field)
        assert error["detail"]
        assert len(answer.content) < 1000
    assert pool_as_it_is() == before


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
