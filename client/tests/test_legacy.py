"""The old client's names: what they post, and what becomes of refusals and lost answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract_server import ContractServer, Fault
from mozpool_client import legacy
from mozpool_client.legacy import MozpoolConflictException, MozpoolException, MozpoolHandler

OLD_NAMES = {
    "bmm_device_clear_pxe", "bmm_pxe_config_details", "bmm_pxe_config_list", "close_request", "decode_json",
    "device_ping", "device_power_cycle", "device_power_off", "device_state_change", "partial_url_get",
    "partial_url_post", "query_all_device_details", "query_all_device_list", "query_all_requests",
    "query_device_bootconfig", "query_device_details", "query_device_log", "query_device_state",
    "query_device_status", "query_request_details", "query_request_status", "renew_request", "request_device",
    "url_get", "url_post",
}  # fmt: skip


def answers(server: ContractServer, *found: Any, status: int = 200) -> None:
    """Let the server give these answers to the next calls."""
    for answer in found:
        server.faults.append(Fault(status, body=b"" if answer is None else json.dumps(answer).encode()))


@pytest.fixture
def handler(server: ContractServer, monkeypatch: pytest.MonkeyPatch) -> MozpoolHandler:
    """Give a handler that does not pause for two seconds and more."""
    monkeypatch.setattr(legacy, "_PAUSE", 0.01)
    return MozpoolHandler(server.url)


def test_every_old_name_is_there() -> None:
    assert {name for name in vars(MozpoolHandler) if not name.startswith("_")} == OLD_NAMES


def test_the_story_of_an_old_script(server: ContractServer, handler: MozpoolHandler) -> None:
    url = f"{server.url}/api/request/5/"
    answers(server, {"request": {"url": url}}, {"state": "ready", "log": []}, {"id": 5}, None, None)
    request = handler.request_device("any", "b2g", 600, b2gbase="http://x/", assignee="slave-1")
    assert handler.query_request_status(request["request"]["url"])["state"] == "ready"
    assert handler.query_request_details(url) == {"id": 5}
    assert handler.renew_request(url, 900) == ""
    assert handler.close_request(url) == ""
    assert [(seen.method, seen.path, seen.body) for seen in server.calls] == [
        (
            "POST",
            "/api/device/any/request/",
            {
                "assignee": "slave-1",
                "duration": 600,
                "image": "b2g",
                "environment": "any",
                "b2gbase": "http://x/",
            },
        ),
        ("GET", "/api/request/5/status/", None),
        ("GET", "/api/request/5/details/", None),
        ("POST", "/api/request/5/renew/", {"duration": 900}),
        ("POST", "/api/request/5/return/", {}),
    ]


def test_a_taken_device_raises_the_old_conflict(server: ContractServer, handler: MozpoolHandler) -> None:
    answers(server, {"error": "conflict"}, status=409)
    with pytest.raises(MozpoolConflictException):
        handler.request_device("panda-0001", "android")


def test_other_refusals_raise_the_old_error_with_the_status(
    server: ContractServer, handler: MozpoolHandler
) -> None:
    answers(server, {"error": "not_found"}, status=404)
    with pytest.raises(MozpoolException, match="status not ok, code 404"):
        handler.query_device_status("nobody")


def test_a_post_without_an_answer_is_tried_ten_times_more(
    server: ContractServer, handler: MozpoolHandler
) -> None:
    server.faults.extend([Fault(0)] * 10)
    answers(server, {"request": {"url": "http://x/"}})
    assert handler.request_device("any", "android") == {"request": {"url": "http://x/"}}
    assert len(server.calls) == 11


def test_a_server_that_is_gone_ends_in_an_error(dead_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "_PAUSE", 0.001)
    with pytest.raises(MozpoolException, match="Can't get"):
        MozpoolHandler(dead_url).query_all_device_list()


def test_devices_are_looked_up_by_name(server: ContractServer, handler: MozpoolHandler) -> None:
    answers(server, *([{"devices": [{"name": "a"}, {"name": "b"}]}] * 2))
    assert handler.query_device_details("b") == {"name": "b"}
    assert handler.query_device_details("c") is None
    assert server.calls[0].query == {"details": ["1"]}


def test_what_is_missing_is_told_before_anything_is_sent(
    server: ContractServer, handler: MozpoolHandler
) -> None:
    with pytest.raises(AssertionError, match="b2gbase"):
        handler.request_device("any", "b2g")
    with pytest.raises(AssertionError, match="whole seconds"):
        handler.request_device("any", "android", 1.5)  # type: ignore[arg-type]
    assert server.calls == []
    assert "Already closed" in handler.close_request("")


def test_a_token_goes_to_its_own_server_only(server: ContractServer, dead_url: str) -> None:
    other = MozpoolHandler(dead_url, token="mzp_secret")
    answers(server, {"id": 1})
    other.query_request_details(f"{server.url}/api/request/1/")
    assert "authorization" not in server.calls[0].headers
    answers(server, {"devices": []})
    MozpoolHandler(server.url, token="mzp_secret").query_all_device_list()
    assert server.calls[1].headers["authorization"] == "Bearer mzp_secret"
