"""Plays what clients said to Mozpool 4.2.1 to us, in order, and compares: status, keys, types, and what can't differ.

exchanges.json was recorded from a running server. Where we differ on purpose, DIFFERENT says how.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from devices.models import Device
from tests.integration.api import pool

RECORDED: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("exchanges.json").read_text(encoding="utf-8")
)
JSON_TYPE = "application/json; charset=utf-8"

# What other issues bring: until then these paths answer 404, and nothing here speaks of them.
LATER = (
    "/version", "/image/list", "/environment/list", "/pxe_config/", "/log/?", "/device/device1/log/", "/ping",
    "/relay/", "/power-", "/clear-pxe", "/state-change/", "/set-", "/request/1/event/",
)  # fmt: skip

# name: our status, and the keys of our answer where they are others
SAME_AS_WITH_SLASH, ERROR = {"devices"}, {"error", "detail"}
DIFFERENT: dict[str, tuple[int, set[str] | None]] = {
    # A redirect helps nobody who can be answered.
    "device_list_details_noslash": (200, SAME_AS_WITH_SLASH),
    "device_request_noslash": (200, {"request"}),
    # Its documentation promised so.
    "device_request_busy_specific": (409, {"error", "detail", "field", "request"}),
    # Nothing is stored, where the old one answered 500 and kept a dead row.
    "device_request_unknown_device": (404, {"error", "detail", "field"}),
    # Any server answers for any device.
    "device_event_other_server": (200, set()),
    # Errors are JSON.
    "api_unknown": (404, ERROR),
    "options_device": (405, ERROR),
    "put_device_list": (405, ERROR),
    "get_on_post_only": (405, ERROR),
    # A browser that comes without credentials, from a page of somebody else's.
    "cors_list_bad_origin": (403, ERROR),
}
# Where the old one answered the text `None`.
EMPTY: dict[str, dict[str, Any]] = {"bootconfig_none": {}}
# Keys that may be null.
NULLABLE = {"comments", "image", "request_id", "inventory_id"}


def served(exchange: dict[str, Any]) -> bool:
    return not any(part in exchange["path"] for part in LATER)


def headers_of(exchange: dict[str, Any]) -> dict[str, str]:
    """Give the header that the recording's name tells of; the recorder did not write requests' headers down."""
    return {"Origin": "http://evil.example"} if exchange["name"] == "cors_list_bad_origin" else {}


class Replay:
    """Sends what was recorded; requests have other numbers and devices here, so it keeps lists of which is which."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.numbers: dict[int, int] = {}
        self.devices: dict[str, str] = {}

    def send(self, exchange: dict[str, Any]) -> Any:
        path = exchange["path"]
        answer = self.client.generic(
            exchange["method"], self.ours(path), exchange["request_body"] or "", headers=headers_of(exchange)
        )
        if path.endswith("/request/") and exchange["status"] == 200:
            recorded, ours = exchange["json"]["request"], answer.json()["request"]
            self.numbers[recorded["id"]] = ours["id"]
            self.devices[recorded["assigned_device"]] = ours["assigned_device"]
        return answer

    def ours(self, path: str) -> str:
        """Put our numbers and devices into a recorded path."""
        _, api, kind, which, *rest = path.split("/")
        if kind == "request" and which.isdigit():
            which = str(self.numbers[int(which)])
        elif kind == "device":
            which = self.devices.get(which, which)
        return "/".join(["", api, kind, which, *rest])


def shape(value: Any, key: str = "") -> Any:
    """Reduce an answer to what a client's parser relies on: keys and types; a list to the shapes in it."""
    if isinstance(value, dict):
        return {name: shape(part, name) for name, part in sorted(value.items())}
    if isinstance(value, list):
        shapes = {json.dumps(shape(part), sort_keys=True) for part in value}
        return [json.loads(text) for text in sorted(shapes)]
    if key in NULLABLE:
        return "may be null"
    return type(value).__name__


def compare(exchange: dict[str, Any], answer: Any) -> None:
    name = exchange["name"]
    status, keys = DIFFERENT.get(name, (exchange["status"], None))
    assert answer.status_code == status, (name, answer.content)
    if status == 204:
        assert (answer.content, answer.headers.get("Content-Type")) == (b"", None), name
        return
    assert answer.headers["Content-Type"] == JSON_TYPE, name
    if exchange["method"] == "HEAD":
        return
    if keys is not None:
        assert set(answer.json()) == keys, name
        return
    ours: dict[str, Any] = answer.json()
    recorded: dict[str, Any] = dict(EMPTY.get(name, exchange.get("json", {})))
    if recorded.get("log") == []:
        # Theirs had no line yet; ours journals ignored events of the device too.
        assert all(set(line) == {"id", "timestamp", "source", "message"} for line in ours.pop("log")), name
        del recorded["log"]
    assert shape(ours) == shape(recorded), name
    if "Cache-Control" in exchange["headers"]:
        assert answer.headers["Cache-Control"] == exchange["headers"]["Cache-Control"], name


def test_a_whole_session_of_2014_gets_answers_that_its_clients_understand(operator: Client) -> None:
    replay = Replay(operator)
    played = []
    # What was redirected then takes a device now, which others were to get: so it comes last.
    for exchange in sorted(
        filter(served, RECORDED), key=lambda each: each["name"] == "device_request_noslash"
    ):
        if exchange["name"] == "bootconfig":
            # A power cycle with this boot config came before, by an endpoint that is not here yet.
            Device.objects.filter(name=replay.devices["device4"]).update(
                next_boot_config='{"b2gbase": "http://z"}'
            )
        compare(exchange, replay.send(exchange))
        played.append(exchange["name"])
    assert len(played) == 44
    assert set(DIFFERENT) <= set(played)


def test_the_pool_looks_as_it_did_to_the_letter(operator: Client) -> None:
    for name in ("device_list", "device_list_details", "device_state"):
        (exchange,) = (each for each in RECORDED if each["name"] == name)
        assert operator.get(exchange["path"]).json() == exchange["json"]


@pytest.mark.parametrize(
    "name",
    [
        "device_request_any",
        "device_request_b2g",
        "device_request_nodevice_env",
        "device_request_specific_failed",
    ],
)
def test_a_request_answers_as_it_did_but_for_its_number_and_device(operator: Client, name: str) -> None:
    (exchange,) = (each for each in RECORDED if each["name"] == name)
    ours, recorded = Replay(operator).send(exchange).json()["request"], exchange["json"]["request"]
    assert bool(ours.pop("assigned_device")) == bool(recorded["assigned_device"])
    expected = {key: value for key, value in recorded.items() if key != "assigned_device"}
    expected |= {
        "id": ours["id"],
        "expires": ours["expires"],
        "url": f"http://mozpool.example/api/request/{ours['id']}/",
    }
    assert ours == expected


def test_an_old_client_needs_no_more_than_its_address(old_client: Client) -> None:
    """The calls of mozpoolclient 0.1.3, in its order: request, poll, renew, return."""
    order = {"assignee": "slave@x", "duration": 3600, "image": "android", "environment": "any"}
    filed = pool.post(old_client, "/api/device/any/request/", order)
    url = filed.json()["request"]["url"].removeprefix("http://mozpool.example")
    assert old_client.get(f"{url}status/").json()["state"] == "pending"
    assert old_client.get(f"{url}details/").json()["assigned_device"] != ""
    assert pool.post(old_client, f"{url}renew/", {"duration": 7200}).status_code == 204
    assert pool.post(old_client, f"{url}return/", {}).status_code == 204
    assert old_client.get(f"{url}status/").json()["state"] == "closed"
