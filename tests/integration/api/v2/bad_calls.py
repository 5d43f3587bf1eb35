"""A bad call of the v2 API, what it must be told, and the calls that are bad anywhere: by body, header, path or query.

The ids in braces of a path stand for rows that the test makes: {request}, {ended}, {webhook}, {token}, {operation},
{hardware}.
"""

from dataclasses import dataclass

CODES = {
    400: "invalid", 401: "not_authenticated", 403: "not_allowed", 404: "not_found", 405: "wrong_method",
        409: "conflict",
    411: "length_required", 412: "precondition_failed", 413: "too_large", 415: "unsupported_media_type",
    422: "impossible", 429: "too_many",
}  # fmt: skip
JSON = "application/json"


@dataclass(frozen=True)
class Bad:
    """A call below /api/v2/ by an admin (a stranger, with an Authorization header), its status, and the field named."""

    status: int
    method: str
    path: str
    body: object = None
    field: str | None = None
    why: str = ""
    code: str = ""
    kind: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Name the case for the report."""
        return f"{self.status} {self.method} {self.path[:70]} {self.why}".rstrip()


def nested(depth: int) -> bytes:
    return b'{"comments":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def without(body: dict[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in body.items() if name != key}


def said(value: object) -> str:
    """Show a value in a case's name."""
    return f"{value!r:.120}"


LISTS = (
    "boot-configs", "devices", "hardware-types", "images", "journal", "operations", "power-controllers",
        "racks",
    "requests", "tokens", "webhooks", "devices/device1/journal", "requests/{request}/journal",
    "webhooks/{webhook}/deliveries",
)  # fmt: skip
# Single things: what a path has behind them, and the field that an unknown name or number is called by.
NAMED = ("boot-configs", "devices", "environments", "images", "power-controllers", "racks")
NUMBERED = ("hardware-types", "operations", "requests", "tokens", "webhooks")
NO_NAMES = ("nosuch", "%00", "device1%27", "%F0%9F%98%80", "x" * 300, "..%5Cdevice1", "%20", "device1%0a")
NO_NUMBERS = ("0", "-1", "abc", "1.5", "%00", "1%20", "%D9%A1", "9" * 40, str(2**63))
WRITTEN = {
    "boot-configs": "fake-b2g",
    "devices": "device4",
    "images": "b2g",
    "power-controllers": "relay-1",
    "racks": "here",
}
# Paths that take a body that may be empty.
ACTIONS = (
    "clear-netboot", "ping", "please/maintenance", "please/power-cycle", "please/self-test", "power-cycle",
        "power-off",
)  # fmt: skip
# base64 of cursors that nobody made: no list, too short, another ordering, a text for a key, a NUL, a float, too large.
CURSORS = (
    "", "%00", "nonsense", "W10=", "e30=", "WzEsMiwzXQ==", "WyJzdGF0ZSIsZmFsc2UsMSwxXQ==", "x" * 1001,
    "WyJuYW1lIixmYWxzZSwiXHUwMDAwIiwieCJd", "WyJuYW1lIixmYWxzZSwxLjUsMV0=", "%E2%98%83",
    "WyJuYW1lIixmYWxzZSwieCIsOTk5OTk5OTk5OTk5OTk5OTk5OTk5OTldCg==",
)  # fmt: skip
BODIES = (
    b"[]", b"null", b"1", b'"text"', b"true", b"{", b"}", b"{]", b"nonsense", b"{'a': 1}", b'{"comments": NaN}',
    b'{"comments": Infinity}', b'{"comments": "\x00"}', b"\x00", b"\xff\xfe{\x00}\x00", b'{"comments": "\xff"}',
    b"\xef\xbb\xbf{}", b"[" * 60_000, b'{"a":' * 9_000, b"comments=x", b"--x\r\n\r\n--x--",
)  # fmt: skip
KINDS = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
        "nonsense",
    "application/jsonp", "application/merge-patch+json",
)  # fmt: skip

QUERIES = [
    *(Bad(400, "GET", f"{path}/?nosuch=1", field="nosuch", why="unknown parameter") for path in LISTS),
    *(Bad(400, "GET", f"{path}/?limit=0", field="limit", why="limit 0") for path in LISTS),
    *(Bad(400, "GET", f"{path}/?ordering=nosuch", field="ordering", why="ordering") for path in LISTS),
    *(Bad(400, "GET", f"{path}/?cursor=nonsense", field="cursor", why="cursor") for path in LISTS),
    *(
        Bad(400, "GET", f"devices/?limit={value}", field="limit", why=f"limit {value[:20]}")
        for value in ("-1", "501", "abc", "1.5", "%00", "", "1e2", "%D9%A1", "9" * 40, "%201", "1&limit=x")
    ),
    *(
        Bad(400, "GET", f"devices/?cursor={value}", field="cursor", why=f"cursor {value[:20]}")
        for value in CURSORS
    ),
    *(
        Bad(400, "GET", f"devices/?ordering={value}", field="ordering", why=f"ordering {value[:20]}")
        for value in ("--name", "pk", "boot_config", "-", "", "name,-name", "rack__name", "%00", "?", "x" * 500)
    ),
    *(
        Bad(400, "GET", f"{path}?nosuch=1", field="nosuch", why="unknown parameter")
        for path in ("", "whoami/", "schema/", "docs/", "environments/", "problems/invalid/",
            "devices/device1/", "events/")
    ),
    *(
        Bad(400, "GET", f"devices/?{name}={value}", field=name, why=f"{name} {value[:20]}")
        for name, values in {
            "rack": ("nosuch", "%00", "x" * 300), "image": ("nosuch",), "hardware_type": ("nosuch", "panda",
                "x" * 200),
            "health": ("fine", "GOOD"), "held": ("1", "yes", "True"), "idle": ("0",), "state": ("x" * 65,
                "%00"),
            "search": ("x" * 64,), "tag": ("x" * 65,), "environment": ("x" * 65,),
        }.items()
        for value in values
    ),
    *(
        Bad(400, "GET", f"requests/?{name}={value}", field=name, why=f"{name} {value[:20]}")
        for name, values in {
            "state": ("nosuch", "closed,ready"), "open": ("1", "TRUE"), "image": ("nosuch",),
                "device": ("nosuch", "%00"),
            "owner": ("x" * 101,), "assignee": ("x" * 101, "%00"), "tag": ("x" * 65,),
                "environment": ("x" * 65,),
        }.items()
        for value in values
    ),
    *(
        Bad(400, "GET", f"journal/?{name}={value}", field=name, why=f"{name} {value[:20]}")
        for name, values in {
            "device": ("nosuch",), "request": ("abc", "0", "-1", "9" * 30), "source": ("nosuch",),
                "actor": ("x" * 101, "ada"),
            "event": ("x" * 65, "foo"), "since": ("yesterday", "2026-13-01", "%00"), "until": ("12:00",
                "9" * 20),
        }.items()
        for value in values
    ),
    *(
        Bad(400, "GET", f"operations/?{name}={value}", field=name, why=f"{name} {value}")
        for name, value in (("device", "nosuch"), ("status", "nosuch"), ("kind", "nosuch"))
    ),
    Bad(400, "GET", "images/?hidden=1", field="hidden", why="no true or false"),
    Bad(400, "GET", "images/?reusable=yes", field="reusable", why="no true or false"),
    Bad(400, "GET", "boot-configs/?active=2", field="active", why="no true or false"),
    Bad(400, "GET", "power-controllers/?rack=nosuch", field="rack", why="unknown rack"),
    Bad(404, "GET", "tokens/?owner=nosuch", field="owner", why="unknown owner"),
    Bad(404, "GET", "tokens/?owner=%00", field="owner", why="NUL"),
    *(
        Bad(400, "GET", f"requests/{{request}}/?{name}={value}", field=name, why=f"{name} {value[:20]}")
        for name, values in {
            "wait": ("-1", "61", "abc", "1.5", "%00", "", "9" * 30), "state_seq": ("-1", "abc", "", "9" * 30,
                "1.0"),
        }.items()
        for value in values
    ),
    *(
        Bad(400, "GET", f"{path}?{name}={value}", field=name, why=f"{name} {value}")
        for path, name, value in (("events/", "request", "abc"), ("requests/{request}/events/", "device",
            "device1"))
        if (path, name) != ("events/", "request")
    ),
    Bad(404, "GET", "events/?device=nosuch", field="device", why="unknown device"),
    Bad(404, "GET", "events/?request=abc", field="request", why="no number"),
]  # fmt: skip
PATHS = [
    *(
        Bad(404, "GET", f"{path}/{name}/", field="name", why="no such name")
        for path in NAMED
        for name in NO_NAMES
    ),
    *(
        Bad(404, "GET", f"{path}/{number}/", field="id", why="no such number")
        for path in NUMBERED
        for number in NO_NUMBERS
    ),
    *(Bad(404, "DELETE", f"{path}/nosuch/", field="name", why="no such name") for path in WRITTEN),
    *(
        Bad(404, "DELETE", f"{path}/{number}/", field="id", why="no such number")
        for path in ("hardware-types", "tokens", "webhooks")
        for number in ("0", "abc", "9" * 40)
    ),
    *(Bad(404, "PATCH", f"{path}/nosuch/", {}, "name", "no such name") for path in WRITTEN),
    *(
        Bad(404, "PATCH", f"{path}/{number}/", {}, "id", "no such number")
        for path in ("hardware-types", "webhooks")
        for number in ("0", "abc")
    ),
    *(
        Bad(404, "POST", f"devices/{name}/{action}/", {}, "device", f"no such device for {action}")
        for action in ACTIONS
        for name in ("nosuch", "%00", "device1%20")
    ),
    *(
        Bad(404, "POST", f"power-controllers/{name}/{question}/", {}, "name", f"no such controller to {question}")
        for question in ("test", "read-outlets")
        for name in ("nosuch", "%00", "relay-1%20")
    ),
    Bad(404, "POST", "devices/nosuch/please/image/", {"image": "b2g"}, "device", "no such device"),
    Bad(404, "POST", "devices/nosuch/state/", {}, "device", "no such device"),
    Bad(404, "GET", "devices/nosuch/journal/", field="device", why="no such device"),
    *(
        Bad(404, method, f"requests/{number}/{page}/", body, "id", f"{page} of no such number")
        for method, page, body in (
            ("GET", "journal", None), ("GET", "events", None), ("POST", "renew", {"duration": 60}), ("POST",
                "return", {}),
        )
        for number in ("0", "abc", "999999999", "9" * 40)
    ),
    *(
        Bad(404, method, f"webhooks/{number}/{page}/", field="id", why=f"{page} of no such number")
        for method, page in (("GET", "deliveries"), ("POST", "ping"))
        for number in ("0", "abc", "999999999")
    ),
    Bad(404, "GET", "problems/boredom/", field="code", why="no such problem"),
    *(
        Bad(404, method, path, why="no such path")
        for method in ("GET", "POST")
        for path in (
            "nosuch/", "devices//", "/devices/", "devices/device1/nosuch/", "devices/device1/please/",
                "DEVICES/",
            "devices/device1/please/nosuch/", "devices/..%2fdevice1/", "requests/{request}/nosuch/",
                "devices/a/b/c/",
            "devices;x=1/", "./devices/", "login/x/", "%00", "%ff/", "webhooks/1/2/3",
        )
    ),
    *(
        Bad(405, method, path, why="wrong method")
        for path, methods in {
            "": ("POST", "DELETE", "OPTIONS"), "devices/": ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
                "BREW"),
            "devices/device1/": ("PUT", "POST"), "devices/device1/power-cycle/": ("GET", "PUT"),
                "login/": ("GET", "PUT"),
            "devices/device1/state/": ("GET", "PATCH"), "requests/{request}/": ("PUT", "PATCH", "DELETE"),
            "requests/{request}/renew/": ("GET",), "requests/{request}/return/": ("GET", "DELETE"),
                "whoami/": ("POST",),
            "environments/": ("POST",), "environments/odd/": ("PATCH", "DELETE"), "operations/": ("POST",),
            "operations/{operation}/": ("PATCH", "DELETE"), "journal/": ("POST", "DELETE"),
                "events/": ("POST",),
            "power-controllers/relay-1/test/": ("GET", "DELETE"), "power-controllers/relay-1/read-outlets/": ("GET",),
            "tokens/{token}/": ("PATCH", "PUT"), "webhooks/{webhook}/ping/": ("GET",), "schema/": ("POST",),
                "docs/": ("POST",),
            "webhooks/{webhook}/deliveries/": ("POST",), "problems/invalid/": ("POST",),
                "requests/{request}/events/": ("POST",),
        }.items()
        for method in methods
    ),
]  # fmt: skip
TRANSPORT = [
    *(Bad(400, "PATCH", "devices/device1/", body, "body", f"body {said(body)}") for body in BODIES),
    *(
        Bad(400, "POST", path, b"[]", "body", "a list for a body")
        for path in (
            "boot-configs/", "devices/", "hardware-types/", "images/", "login/", "power-controllers/", "racks/",
            "requests/", "tokens/", "webhooks/", "requests/{request}/renew/", "devices/device1/state/",
            "devices/device1/please/image/", *(f"devices/device1/{action}/" for action in ACTIONS),
        )
    ),
    *(Bad(400, "PATCH", f"{path}/{name}/", b"[]", "body", "a list for a body") for path,
        name in WRITTEN.items()),
    Bad(400, "PATCH", "devices/device1/", nested(33), "body", "33 levels"),
    Bad(400, "PATCH", "devices/device1/", b'{"comments": "a\\u0000b"}', "comments", "NUL"),
    Bad(400, "PATCH", "devices/device1/", b'{"comments": "\\ud83d"}', "comments", "half a character"),
    Bad(400, "PATCH", "devices/device1/", b'{"\\u0000": 1}', "body", "NUL in a key"),
    Bad(400, "POST", "requests/", b'{"image": "android", "duration": ' + b"9" * 5_000 + b"}", "body",
        "5,000 digits"),
    *(
        Bad(413, method, path, b" " * 65_537, "body", "one byte over 64 kB")
        for method, path in (
            ("POST", "requests/"), ("POST", "login/"), ("PATCH", "devices/device1/"), ("POST",
                "devices/device1/ping/"),
            ("POST", "webhooks/"),
        )
    ),
    *(
        Bad(415, method, path, b'{"x": 1}', None, kind, kind=kind)
        for method, path in (("POST", "requests/"), ("PATCH", "devices/device1/"), ("POST", "login/"))
        for kind in KINDS
    ),
    *(
        Bad(400, "POST", "requests/", {"image": "android"}, "Idempotency-Key", f"key {said(key)}",
            headers=(("Idempotency-Key", key),))
        for key in ("", "x" * 256, "caf\u00e9", "a\tb", "\u2603", "a\x7fb")
    ),
    *(
        Bad(412, method, f"{path}/{name}/", {} if method == "PATCH" else None, None, f"If-Match {said(etag)}",
            headers=(("If-Match", etag),))
        for path, name in (*WRITTEN.items(), ("hardware-types", "{hardware}"))
        for method in ("PATCH", "DELETE")
        for etag in ('"x"', 'W/"x"')
    ),
    Bad(412, "PATCH", "webhooks/{webhook}/", {}, None, "If-Match", headers=(("If-Match", '"x"'),)),
    *(
        Bad(400, "GET", path, None, "Last-Event-ID", f"Last-Event-ID {said(number)}",
            headers=(("Last-Event-ID", number),))
        for path in ("events/", "requests/{request}/events/")
        for number in ("abc", "-1", "1.5", "9" * 40, "\u0661")
    ),
    *(
        Bad(401, "GET", "devices/", None, None, f"Authorization {said(text)}", headers=(("Authorization",
            text),))
        for text in (
            "", "Bearer", "Bearer ", "Bearer mzp_", "Bearer mzp_" + "0" * 48, "Bearer x" * 500,
                "Basic YWRhOng=", "mzp_x",
            "Bearer None", "Bearer mzp_\u00e9", "Bearer mzp_' OR 1=1", "Digest x", "Token nonsense",
        )
    ),
]  # fmt: skip
