"""Hostile and clumsy calls of the legacy API, each with what it must be told.

Types, ranges, lengths, unicode, NUL, deep JSON, big bodies, header games, numbers, path tricks, query strings.
"""

import gzip
import json
from dataclasses import dataclass

ANY = "/api/device/any/request/"
GOOD = {"assignee": "me@x", "duration": 60, "image": "android"}
B2G = {**GOOD, "image": "b2g"}


@dataclass(frozen=True)
class Bad:
    """A call, the status that it must get, and the field that the error must name. `{token}` is device1's."""

    status: int
    path: str
    body: object = None
    field: str | None = None
    method: str = "POST"
    why: str = ""
    headers: tuple[tuple[str, str], ...] = ()


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
    b'{"duration": Infinity}', b'{"a": "\x00"}', b"\x00", b'{"\\u0000": 1}', b'{"\\ud800": 1}',
    b'{"\\u0000": "\\u0000"}',
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

# What a path may hold where a name is expected.
NO_SUCH_NAMES = ["nosuch", "%00", "device1%27", "..%2fdevice1", "%F0%9F%98%80", "x" * 300]
NO_NUMBERS = ["", "0", "-1", "abc", "1.5", "1e3", "%00", "+1", "%20", "0x10", "%D9%A1", "10001", "9" * 40]
NO_TEXTS: list[object] = [None, 7, 1.5, True, [], {}, ["text"]]
NO_REASONS: list[object] = [None, "", 7, [], "x" * 301]
NO_ENVIRONMENTS = ["", " ", "any", "a b", "a/b", "-a", "a\nb", "\u00e9", "x" * 65, "../x", "\U0001f600"]
BROKEN_TEXTS = {"NUL": b"a\\u0000b", "half a character": b"\\ud83d", "other half": b"\\ude00x"}
PXE_CONFIGS: list[object] = ["", " ", 7, True, [], {}, ["fake-b2g"], "x" * 65]
NO_SUCH_CONFIGS = ["nosuch", "../fake-b2g", "fake-b2g\n", "fake b2g", "fake-b2g'", "*"]
BOOT_CONFIGS: list[object] = [
    "nonsense", "[]", "7", "null x", '{"a": NaN}', "{" * 40, '{"a":' * 33 + "1" + "}" * 33, [], [1], 7, True,
    {"a b": "x"}, {"": "x"}, {"a\n": "x"}, {"x" * 65: "x"}, {f"key{n}": n for n in range(33)}, '{"\\u0000": 1}',
]  # fmt: skip
BOOT_VALUES: list[object] = [
    "http://elsewhere/y", "file:///etc/passwd", "a\nb", " a", "", None, 1.5, [], {"b": 1}, 2**63, "x" * 2001,
]  # fmt: skip
GETS = {
    "device": ("state", "status", "log", "bootconfig", "ping", "power-off", "event/foo"),
    "request": ("details", "status", "log", "event/foo"),
}
DEVICE_POSTS = {
    "event/foo": {}, "set-comments": {"comments": "x"}, "set-environment": {"environment": "x"}, "power-off": {},
    "clear-pxe": {}, "power-cycle": {}, "state-change/ready/to/locked_out": {}, "request": GOOD,
}  # fmt: skip

CASES = [
    *(Bad(400, ANY, body, "body", why=f"body {body[:40]!r}") for body in BODIES),
    *(
        Bad(400, path, b"[]", "body", why="a list for a body")
        for path in ("/api/request/1/renew/", "/api/request/1/return/")
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
        for page in GETS["device"]
        for name in NO_SUCH_NAMES
        if "%2f" not in name
    ),
    *(
        Bad(404, f"/api/device/{name}/{page}", body, "device", why=f"{page} of {name}")
        for page, body in DEVICE_POSTS.items()
        for name in ("nosuch", "%00", "device1%20")
    ),
    *(
        Bad(404, f"/api/device/..%2fdevice1/{page}/", None, None, "GET", why="a slash that is hidden")
        for page in ("state", "log", "ping")
    ),
    *(
        Bad(400, f"/api/device/device1/log/?{key}={value}", None, key, "GET", why=f"{key} {value}")
        for key in ("limit", "timeperiod")
        for value in NO_NUMBERS
        if (key, value) != ("timeperiod", "10001")
    ),
    Bad(400, "/api/device/device1/log/?limit=1&limit=x", None, "limit", "GET", why="the last one counts"),
    Bad(400, "/api/device/device1/log?limit=x&timeperiod=y", None, "limit", "GET", why="two wrong ones"),
    Bad(400, "/api/device/device1/log/?timeperiod=3153600001", None, "timeperiod", "GET", why="over a century"),
    Bad(400, "/api/device/device1/set-comments/", None, "comments", why="no body"),
    Bad(400, "/api/device/device1/set-comments/", {"Comments": "x"}, "comments", why="a capital letter"),
    Bad(400, "/api/device/device1/set-comments/", {"comments": "x" * 10_001}, "comments", why="10,001 characters"),
    Bad(413, "/api/device/device1/set-comments/", {"comments": "\U0001f600" * 10_001}, "body", why="120 kB"),
    *(
        Bad(400, f"/api/device/device1/set-{key}/", {key: value}, key, why=f"{key} {value!r}")
        for key in ("comments", "environment")
        for value in NO_TEXTS
    ),
    *(
        Bad(400, "/api/device/device1/set-environment/", {"environment": value}, "environment", why=f"{value!r:.40}")
        for value in NO_ENVIRONMENTS
    ),
    Bad(400, "/api/device/device1/set-environment/", None, "environment", why="no body"),
    *(
        Bad(400, path, b'{"' + key.encode() + b'": "' + text + b'"}', key, why=f"{key}: {what}")
        for path, key in (
            ("/api/device/device1/set-comments/", "comments"),
            ("/api/device/device1/set-environment/", "environment"),
            ("/api/device/device1/power-cycle/", "pxe_config"),
            ("/api/device/device1/power-cycle/", "boot_config"),
            ("/api/device/device1/event/foo/", "note"),
            ("/api/device/device1/state-change/ready/to/locked_out/", "reason"),
            (ANY, "assignee"),
            (ANY, "b2gbase"),
        )
        for what, text in BROKEN_TEXTS.items()
    ),
    *(
        Bad(400, f"/api/device/device1/state-change/ready/to/{state}/", None, "state", why="no state to rest in")
        for state in ("nosuch", "start_self_test", "operation_complete", "closed", "any")
    ),
    *(
        Bad(400, f"/api/device/device1/state-change/{old}/to/{new}/", None, field, why="no name of a state")
        for old, new, field in (
            ("%00", "ready", "old"), ("READY", "locked_out", "old"), ("a%20b", "ready", "old"),
            ("ready", "%0a", "new"), ("ready", "Ready", "new"), ("ready", "x" * 65, "new"), ("ready", "a-b", "new"),
        )
    ),
    *(
        Bad(409, f"/api/device/device1/state-change/{old}/to/locked_out/", None, "state", why="it is ready")
        for old in ("new", "locked_out", "nosuch")
    ),
    *(
        Bad(400, "/api/device/device1/state-change/ready/to/locked_out/", {"reason": reason}, "reason",
            why=f"reason {reason!r:.20}")
        for reason in NO_REASONS
    ),
    *(
        Bad(400, "/api/device/device1/power-cycle/", {"pxe_config": value}, "pxe_config", why=f"pxe {value!r:.30}")
        for value in PXE_CONFIGS
    ),
    *(
        Bad(404, "/api/device/device1/power-cycle/", {"pxe_config": value}, "pxe_config", why=f"pxe {value!r}")
        for value in NO_SUCH_CONFIGS
    ),
    *(
        Bad(400, "/api/device/device1/power-cycle/", {"pxe_config": "fake-b2g", "boot_config": value}, "boot_config",
            why=f"boot_config {value!r:.40}")
        for value in BOOT_CONFIGS
    ),
    *(
        Bad(400, "/api/device/device1/power-cycle/", {"pxe_config": "fake-b2g", "boot_config": given}, "b2gbase",
            why=f"b2gbase {value!r:.40} in {kind}")
        for value in BOOT_VALUES
        for kind, given in (("an object", {"b2gbase": value}), ("a text", json.dumps({"b2gbase": value})))
    ),
    *(
        Bad(404, f"/api/relay/{name}/test/", None, "relay", "GET", why=f"relay {name[:20]}")
        for name in ("nosuch", "%00", "relay-1%20", "relay-1.example:2101", "127.0.0.1", "x" * 65, "-")
    ),
    *(
        Bad(404, f"/api/bmm/pxe_config/{name}/details/", None, "pxe_config", "GET", why=f"PXE {name[:20]}")
        for name in ("nosuch", "%00", "fake-b2g%0a", "..", "..%5cfake-b2g", "x" * 65, "*")
    ),
    *(
        Bad(400, f"/api/device/device1/{page}/", b"[]", "body", why="a list for a body")
        for page in DEVICE_POSTS
    ),
    Bad(413, "/api/device/device1/set-comments", b'{"comments": "' + b"x" * 70_000 + b'"}', "body", why="70 kB"),
    Bad(413, "/api/device/device1/power-cycle", b" " * 65_537, "body", why="one byte over 64 kB"),
    Bad(400, "/api/device/device1/power-cycle/", nested(33), "body", why="33 levels"),
    *(
        Bad(400, path, gzip.compress(b'{"comments": "x"}', mtime=0), "body", why="gzip",
            headers=(("Content-Encoding", "gzip"),))
        for path in ("/api/device/device1/set-comments/", ANY)
    ),
    Bad(400, "/api/device/device1/set-comments/", '{"comments": "x"}'.encode("utf-16"), "body", why="UTF-16",
        headers=(("Content-Type", "application/json; charset=utf-16"),)),
    *(
        Bad(403, "/api/device/device1/power-off/", None, None, method, why=f"{name}: {value}", headers=((name, value),))
        for method in ("GET", "POST")
        for name, value in (
            ("Origin", "http://evil.example"), ("Origin", "null"), ("Referer", "http://evil.example/"),
            ("Cookie", "a=b"), ("Sec-Fetch-Site", "same-origin"),
        )
    ),
    Bad(405, "/api/device/device1/set-comments/", None, None, "GET", why="a method in a header does not count",
        headers=(("X-HTTP-Method-Override", "POST"),)),
    Bad(400, "/api/version/", None, None, "GET", why="a host that is not ours", headers=(("Host", "evil.example"),)),
    Bad(400, "/api/version/", None, None, "GET", why="a host with a path", headers=(("Host", "testserver/evil"),)),
    *(
        Bad(404, f"/api/request/{number}/event/foo/", None, "request", method, why=f"event of {number[:20]}")
        for method in ("GET", "POST")
        for number in ("0", "abc", "-1", "%00", "1.0", str(2**63), "9" * 400)
    ),
    *(
        Bad(405, f"/api/{path}/", None, None, method)
        for path, methods in {
            "version": ("POST", "PUT", "DELETE", "OPTIONS"),
            "image/list": ("POST", "PATCH"),
            "environment/list": ("POST", "TRACE"),
            "request/list": ("POST", "DELETE"),
            "bmm/pxe_config/list": ("POST", "PUT"),
            "bmm/pxe_config/fake-b2g/details": ("POST", "DELETE"),
            "relay/relay-dead/test": ("POST", "HEAD"),
            "device/device1/ping": ("POST", "HEAD"),
            "device/device1/log": ("POST", "DELETE"),
            "device/device1/status": ("POST",),
            "device/device1/bootconfig": ("POST", "PUT"),
            "device/device1/power-off": ("HEAD", "PUT", "DELETE"),
            "device/device1/power-cycle": ("GET", "HEAD"),
            "device/device1/clear-pxe": ("GET", "HEAD"),
            "device/device1/set-environment": ("GET", "PUT"),
            "device/device1/state-change/ready/to/locked_out": ("GET", "HEAD"),
            "request/1/status": ("POST",),
            "request/1/log": ("POST",),
            "request/1/event/foo": ("HEAD", "PUT"),
        }.items()
        for method in methods
    ),
    *(
        Bad(404, path, None, None, "GET", why="no such path")
        for path in (
            "/api/VERSION/", "/api/version/x", "/api/version;x=1", "/api/./version/", "/api//version/",
            "/api/device/list/device1", "/api/bmm/", "/api/bmm/pxe_config/",
            "/api/bmm/pxe_config//details/",
            "/api/relay/test/", "/api/relay//test/", "/api/device/device1/state-change/ready/to/", "/api/image/",
            "/api/device/device1/state-change/ready/locked_out/", "/api/device/device1/event/",
            "/api/request/event/foo/", "/api/device/device1/event/foo/bar/", "/api/device/%2e%2e/device/list",
        )
    ),
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


def name_of(bad: Bad) -> str:
    """Name a case for the report."""
    return f"{bad.status} {bad.method} {bad.path[:60]} {bad.why}"
