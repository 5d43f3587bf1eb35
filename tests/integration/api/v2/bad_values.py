"""Bodies of the v2 API whose values nobody can mean, resource by resource, and what is refused for good reasons."""

from collections.abc import Mapping

from tests.integration.api.v2.bad_calls import WRITTEN, Bad, said, without

Values = Mapping[str, tuple[object, ...]]

ORDER: dict[str, object] = {"image": "android"}
RACK: dict[str, object] = {"name": "p9", "imaging_server": "p9.example", "address": "10.0.9.1"}
IMAGE: dict[str, object] = {"name": "firefox-os"}
BOOT_CONFIG: dict[str, object] = {"name": "panda-x", "contents": "default x\nlabel x\nlocalboot 0"}
HARDWARE: dict[str, object] = {"kind": "panda", "model": "es-b9"}
CONTROLLER: dict[str, object] = {"name": "relay-9", "rack": "here", "address": "10.0.9.9:2101"}
DEVICE: dict[str, object] = {
    "name": "panda-9", "fqdn": "panda-9.example", "mac": "0200000000ff", "rack": "here",
        "hardware_type": "panda/es-b3",
    "environment": "odd",
}  # fmt: skip
WEBHOOK: dict[str, object] = {"url": "https://hooks.example/x", "events": ["request.*"]}
TOKEN: dict[str, object] = {"name": "nightly"}
FORCE: dict[str, object] = {"from": "ready", "to": "locked_out", "reason": "its screen is broken"}
LOGIN: dict[str, object] = {"username": "ada", "password": "correct horse"}

NO_TEXTS: tuple[object, ...] = (None, True, [], {}, ["text"], 7, 1.5)
NO_SLUGS: tuple[object, ...] = (
    None,
    7,
    True,
    [],
    {},
    "",
    " ",
    "a b",
    "a/b",
    "-a",
    "a\nb",
    "\u00e9",
    "x" * 65,
    "../x",
    "\U0001f600",
)
NO_HOSTS: tuple[object, ...] = (
    None,
    7,
    True,
    [],
    "",
    "a b",
    "-a",
    "a..b",
    "a_b",
    "a\nb",
    "\u00e9",
    "x" * 64,
    "a." * 130,
    "$(reboot)",
)
NO_ADDRESSES: tuple[object, ...] = (
    "nosuch",
    "10.0.0",
    "10.0.0.256",
    "10.0.0.1/24",
    "::1::",
    "10.0.0.1\n2",
    [],
    {},
    True,
)
NO_FLAGS: tuple[object, ...] = (None, "perhaps", "true", 0, 2, [], {})
NO_ROWS: tuple[object, ...] = (None, 7, True, [], {}, "", "nosuch", "\u2603")
NO_OBJECTS: tuple[object, ...] = (None, "text", 7, True, [], [1])
NO_SECONDS: tuple[object, ...] = (
    None, True, [], {}, "", "abc", "1.9", 1.9, 0, -1, 10**13, 30 * 24 * 3600 + 1, "\u0661", "0x10", "6_0",
        10**400,
)  # fmt: skip
NO_TAGS: tuple[object, ...] = (None, 7, "", "x" * 65, [])
NO_HOOKS: tuple[object, ...] = (None, "x", [], 7)
NO_URLS: tuple[object, ...] = (None, [], "", 7, "x" * 501)
NO_PATTERNS: tuple[object, ...] = (None, 7, [], "", "x" * 65)
BUILDS: tuple[object, ...] = (
    None, "", " ", [], {"a": 1}, 1.5, 2**63, "http://elsewhere/y", "ftp://x/y", "file:///etc/passwd",
        "javascript:alert(1)",
    "http://me:secret@x/y", "http://x\\@elsewhere/y", "http://x:0/y", "http://[::1/y", "//elsewhere/y",
        "http://x/a\nb",
    "http://x/'; reboot", "http://x/`id`", "x" * 2001,
)  # fmt: skip
TARGETS: tuple[object, ...] = (
    None, 7, [], "", "nonsense", "http://elsewhere/x", "ftp://hooks.example/x", "file:///etc/passwd",
        "http://169.254.169.254/",
    "https://me:secret@hooks.example/x", "https://hooks.example:0/x", "https://hooks.example/a b",
        "https://hooks.example/#x",
    "https://hooks.example\\@elsewhere/", "https://hooks.example.evil/x", "https://hooks.example/" + "x" * 500,
)  # fmt: skip
SECRETS: tuple[object, ...] = (
    "",
    "short",
    "whsec_",
    "whsec_AAAA",
    "whsec_!!!!",
    "whsec_" + "A" * 90,
    [],
    {},
    True,
)


def each(path: str, body: Mapping[str, object], values: Values, method: str = "POST") -> list[Bad]:
    """Make a case of each bad value of each key; where it is changed, the body has nothing else."""
    rest = body if method == "POST" else {}
    return [
        Bad(400, method, path, {**rest, key: value}, key, f"{key} {said(value)}")
        for key, bad in values.items()
        for value in bad
    ]


def missing(path: str, body: dict[str, object], *keys: str) -> list[Bad]:
    return [Bad(400, "POST", path, without(body, key), key, f"without {key}") for key in keys]


def at(status: int, path: str, body: object, field: str, why: str, code: str = "") -> Bad:
    return Bad(status, "POST", path, body, field, why, code)


REQUESTS = [
    *missing("requests/", ORDER, "image"),
    Bad(400, "POST", "requests/", None, "image", "no body"),
    *each("requests/", ORDER, {
        "image": (*NO_TEXTS, "", " ", "x" * 65), "device": (*NO_TEXTS, "", "x" * 254), "hardware": (*NO_TEXTS,
            "", "x" * 130),
        "environment": NO_SLUGS, "duration": NO_SECONDS, "assignee": (*NO_TEXTS, "", " ", "x" * 101),
        "priority": (None, True, [], "high", 1.5, 11, -11, 10**30), "tags": (None, "a", {}, 7, ["a"] * 11),
        "boot_config": (*NO_OBJECTS, {"b2gbase": "x"}, {"": 1}), "owner": ("eve",), "state": ("ready",),
            "Image": ("b2g",),
    }),
    *(at(400, "requests/", {**ORDER, "tags": [tag]}, "tags", f"tag {said(tag)}") for tag in ("a b", "-a",
        "\u00e9", "a/b")),
    *(at(400, "requests/", {**ORDER, "tags": ["a", tag]}, "tags.1", f"tag {said(tag)}") for tag in NO_TAGS),
    *(
        at(404, "requests/", {**ORDER, "image": name}, "image", f"image {said(name)}")
        for name in ("nosuch", "../b2g", "andr\u00f6id", "%", "b2g' OR 1=1")
    ),
    *(at(404, "requests/", {**ORDER, "device": name}, "device", f"device {said(name)}") for name in ("nosuch",
        "any ", "-", "a\nb", "%")),
    *(at(404, "requests/", {**ORDER, "hardware": name}, "hardware",
        f"hardware {said(name)}") for name in ("nosuch", "panda", "/", "panda/")),
    at(400, "requests/", {"image": "b2g"}, "boot_config.b2gbase", "a key of the image missing"),
    *(
        at(400, "requests/", {"image": "b2g", "boot_config": {"b2gbase": value}}, "boot_config.b2gbase",
            f"b2gbase {said(value)}")
        for value in BUILDS
    ),
    *(at(400, "requests/", {**ORDER, "webhook": value}, "webhook",
        f"webhook {said(value)}") for value in NO_HOOKS),
    *(
        at(400, "requests/", {**ORDER, "webhook": {"url": url}}, "webhook.url", f"webhook.url {said(url)}")
        for url in NO_URLS
    ),
    *(
        at(400, "requests/", {**ORDER, "webhook": {"url": url}}, "webhook", f"webhook.url {said(url)}")
        for url in ("nonsense", "http://elsewhere/x", "https://hooks.example.evil/x",
            "http://169.254.169.254/", "ftp://hooks.example/")
    ),
    at(400, "requests/", {**ORDER, "webhook": {**WEBHOOK}}, "webhook", "an unknown key"),
    at(400, "requests/", {**ORDER, "webhook": {"url": WEBHOOK["url"], "secret": "short"}}, "webhook",
        "a bad secret"),
    at(422, "requests/", {**ORDER, "environment": "nosuch"}, "environment", "no device has it"),
    at(422, "requests/", {**ORDER, "tags": ["nosuch"]}, "tags", "no device has this tag"),
    at(422, "requests/", {**ORDER, "device": "device1", "environment": "odd"}, "environment",
        "this device has another"),
    *each("requests/{request}/renew/", {}, {"duration": NO_SECONDS}),
    *missing("requests/{request}/renew/", {"duration": 60}, "duration"),
    at(400, "requests/{request}/renew/", {"duration": 60, "seconds": 1}, "seconds", "an unknown key"),
    at(409, "requests/{ended}/renew/", {"duration": 60}, "state", "it has ended"),
]  # fmt: skip
ACTIONS = [
    *(
        at(400, f"devices/device1/{action}/", {"x": 1}, "x", "an unknown key")
        for action in ("clear-netboot", "ping", "power-off", "power-cycle", "please/maintenance",
            "please/power-cycle", "please/self-test")
    ),
    *each("devices/device1/power-cycle/", {}, {
        "netboot": (7, True, [], {}, "", "nosuch", "../fake-b2g"), "boot_config": (*NO_OBJECTS,
            {"b2gbase": "x"}),
    }),
    *(
        at(400, "devices/device1/power-cycle/", {"netboot": "fake-b2g", "boot_config": {"b2gbase": value}},
           "boot_config.b2gbase", f"b2gbase {said(value)}")
        for value in BUILDS
    ),
    *(
        at(400, "devices/device1/power-cycle/", {"netboot": "fake-b2g", "boot_config": value}, "boot_config",
            f"boot_config {said(value)}")
        for value in ({"a b": "x"}, {"": "x"}, {"x" * 65: "x"}, {f"key{n}": n for n in range(33)})
    ),
    *each("devices/device1/please/image/", {"image": "android"}, {
        "image": (None, 7, [], "", "nosuch"), "boot_config": NO_OBJECTS, "x": (1,),
    }),
    *missing("devices/device1/please/image/", {"image": "android"}, "image"),
    at(400, "devices/device1/please/image/", {"image": "b2g"}, "boot_config.b2gbase",
        "a key of the image missing"),
    at(400, "devices/device1/please/image/", {"image": "android", "boot_config": {"x": 1}}, "boot_config.x",
        "no key of the image"),
    *missing("devices/device1/state/", FORCE, "from", "to", "reason"),
    *each("devices/device1/state/", FORCE, {
        "from": (None, 7, True, [], "", "x" * 65), "to": (None, 7, [], {}, "", "nosuch", "READY"),
        "reason": (None, 7, True, [], "", " ", "x" * 301), "x": (1,),
    }),
    at(409, "devices/device1/state/", {**FORCE, "from": "new"}, "state", "it is in another state"),
]  # fmt: skip
INVENTORY = [
    *missing("racks/", RACK, "name", "imaging_server", "address"),
    *missing("boot-configs/", BOOT_CONFIG, "name", "contents"),
    *missing("images/", IMAGE, "name"),
    *missing("hardware-types/", HARDWARE, "kind", "model"),
    *missing("power-controllers/", CONTROLLER, "name", "rack", "address"),
    *missing("devices/", DEVICE, "name", "fqdn", "mac", "rack", "hardware_type", "environment"),
    *each("racks/", RACK, {
        "name": (*NO_SLUGS, "here"), "imaging_server": NO_HOSTS, "address": (None, "", *NO_ADDRESSES),
            "vlan_note": (None, [], "x" * 201),
        "base_url": (None, [], "nonsense", "ftp://x/", "javascript:alert(1)", "http://", "x" * 201), "x": (1,
            ), "url": ("x",),
    }),
    *each("boot-configs/", BOOT_CONFIG, {
        "name": (*NO_SLUGS, "fake-b2g"), "contents": (None, True, [], {}, ""), "description": (None, [],
            "x" * 201),
        "active": NO_FLAGS, "second_stage": (None, [], {}), "x": (1,),
    }),
    *each("images/", IMAGE, {
        "name": (*NO_SLUGS, "b2g"), "boot_config_keys": (None, "a", {}, 7, ["a b"], ["a", "a"], ["x"] * 33),
            "reusable": NO_FLAGS,
        "hidden": NO_FLAGS, "verification": (None, 7, [], "", "nosuch"), "verify_port": ("abc", 0, 65536, -1,
            1.5, [], 10**30),
        "download_timeout": (None, 0, 86401, "x", [], 10**30), "install_limit": (None, -1, 1001, {}),
        "settle_seconds": (-1, 3601, 10**30), "version_notes": (None, [], {}), "boot_configs": (None, "x", {},
            7), "x": (1,),
    }),
    *(
        at(400, "images/", {**IMAGE, "boot_configs": [use]}, field, f"boot_configs of {said(use)}")
        for use, field in (
            ({}, "boot_configs.0.hardware_type"), ({"hardware_type": "panda/es-b3"},
                "boot_configs.0.boot_config"),
            ({"hardware_type": "nosuch", "boot_config": "fake-b2g"}, "boot_configs.0.hardware_type"),
            ({"hardware_type": "panda/es-b3", "boot_config": "nosuch"}, "boot_configs.0.boot_config"),
            ({"hardware_type": "panda/es-b3", "boot_config": "fake-b2g", "x": 1}, "boot_configs.0.x"),
        )
    ),
    *each("hardware-types/", HARDWARE, {
        "kind": (None, 7, True, [], {}, "", " ", "x" * 65), "model": (None, 7, True, [], "", "x" * 65),
            "x": (1,), "id": (7,),
    }),
    Bad(400, "POST", "hardware-types/", {**HARDWARE, "model": "es-b3"}, None, "it is there already"),
    *each("power-controllers/", CONTROLLER, {
        "name": (*NO_SLUGS, "relay-1"), "rack": NO_ROWS, "driver": (None, [], "", "nosuch", "x" * 33),
        "address": (None, [], "", "x" * 261), "settings": (*NO_OBJECTS,), "secrets": ("text", 7, []), "x": (1,),
        "secrets_set": (["a"],), "suspect_until": (None,),
    }),
    *each("devices/", DEVICE, {
        "name": (*NO_HOSTS, "device1", "any"), "fqdn": NO_HOSTS[:-3], "mac": (None, [], "", "nosuch",
            "0" * 11, "02:00:00:00:00:ff", "A" * 12),
        "address": NO_ADDRESSES, "inventory_id": ("abc", -1, 1.5, [], 2**63), "rack": NO_ROWS,
            "hardware_type": (*NO_ROWS, "panda"),
        "environment": (*NO_SLUGS, "any"), "comments": ([], {}, "x" * 10_001), "power": ("x", 7, []),
            "state": ("ready",), "x": (1,),
        "tags": (None, "a", {}, 7, ["a"] * 65, ["a b"], ["a", "a"]), "request": (1,), "boot_config": ({},),
    }),
    *(
        at(400, "devices/", {**DEVICE, "power": power}, field, f"power {said(power)}")
        for power, field in (
            ({}, "power.controller"), ({"controller": "relay-1"}, "power.outlet"),
                ({"outlet": "bank1:relay9"}, "power.controller"),
            ({"controller": "nosuch", "outlet": "bank1:relay1"}, "power.controller"),
            ({"controller": "relay-1", "outlet": "nosuch"}, "outlet"), ({"controller": "relay-1",
                "outlet": "x" * 65}, "power.outlet"),
            ({"controller": "relay-1", "outlet": "bank1:relay9", "x": 1}, "power.x"),
        )
    ),
    *(
        Bad(400, "PATCH", f"{path}/{name}/", {"x": 1}, "x", "an unknown key")
        for path, name in (*WRITTEN.items(), ("hardware-types", "{hardware}"), ("webhooks", "{webhook}"))
    ),
    *each("devices/device4/", {}, {"environment": NO_SLUGS, "comments": ([], {}, "x" * 10_001), "tags": (None,
        "a", ["a b"])}, "PATCH"),
    *each("racks/here/", {}, {"name": ("", "there"), "address": ("nosuch",), "base_url": ("nonsense",)},
        "PATCH"),
    *each("hardware-types/{hardware}/", {}, {"kind": ("", None), "model": ("x" * 65,)}, "PATCH"),
    *each("images/b2g/", {}, {"name": ("android", "a b"), "verify_port": (0,), "hidden": (None,)}, "PATCH"),
    *each("boot-configs/fake-b2g/", {}, {"name": ("fake-android",), "contents": ("", None)}, "PATCH"),
    *each("power-controllers/relay-1/", {}, {"driver": ("nosuch",), "rack": ("nosuch",), "settings": ("x",)},
        "PATCH"),
    *(
        Bad(409, "DELETE", f"{path}/{name}/", why="something needs it")
        for path, name in (("racks", "here"), ("boot-configs", "fake-b2g"), ("hardware-types", "{hardware}"),
            ("power-controllers", "relay-1"), ("images", "android"), ("devices", "{held}"))
    ),
]  # fmt: skip
ACCESS = [
    *missing("login/", LOGIN, "username", "password"),
    *each("login/", LOGIN, {
        "username": (None, 7, True, [], {}, "", "x" * 151), "password": (None, 7, True, [], {}, "",
            "x" * 1001), "token_name": (None, [], "", "x" * 65),
        "expires_in": (None, True, [], "soon", 0, -1, 1.5), "role": ("admin",),
            "next": ("http://evil.example/",),
    }),
    *missing("tokens/", TOKEN, "name"),
    *each("tokens/", TOKEN, {
        "name": (None, 7, True, [], {}, "", " ", "x" * 65, "a\nb"), "role": (None, 7, [], "", "root",
            "Admin"), "owner": ("eve",),
        "expires_in": (None, True, [], "soon", 0, -1, 1.5, 10**12, 10**400), "token": ("mzp_x",),
    }),
    *missing("webhooks/", WEBHOOK, "url", "events"),
    *each("webhooks/", WEBHOOK, {
        "url": TARGETS, "secret": SECRETS, "active": NO_FLAGS, "events": (None, "request.*", [], {}, 7,
            ["*.nosuch"], ["x.y"], ["request.*"] * 51),
        "owner": ("eve",), "x": (1,),
    }),
    *(at(400, "webhooks/", {**WEBHOOK, "events": ["request.*", one]}, "events.1",
        f"events.1 {said(one)}") for one in NO_PATTERNS),
    *each("webhooks/{webhook}/", {}, {"url": TARGETS[2:8], "events": ([], "x", ["nosuch"]),
        "active": NO_FLAGS, "secret": SECRETS[:4]}, "PATCH"),
]  # fmt: skip
