"""What can be done to a device: by hand past Lifeguard, and by asking Lifeguard; each answers with what to follow."""

from typing import Any

import pytest
from django.test import Client

from bmm import services
from bmm.models import Operation
from devices.models import BootConfig, Device, Image, Journal
from tests.factories import make_request
from tests.integration.api.pool import at, person
from tests.integration.api.unchanged import Unchanged
from tests.integration.api.v2.calls import get, problem, send

ACTIONS = (
    "power-cycle", "power-off", "ping", "clear-netboot", "please/image", "please/self-test", "please/maintenance",
    "please/power-cycle", "state",
)  # fmt: skip


def follow(client: Client, answer: Any) -> dict[str, Any]:
    """Fetch the operation that an answer points at."""
    assert answer.status_code == 202, answer.content
    operation: dict[str, Any] = answer.json()["operation"]
    assert answer["Location"] == operation["url"]
    assert get(client, f"operations/{operation['id']}/").json() == operation
    return operation


@pytest.mark.parametrize(
    ("path", "kind"), [("power-off", "power_off"), ("ping", "ping"), ("power-cycle", "power_cycle")]
)
def test_hardware_work_by_hand_answers_with_an_operation_to_follow(
    operator: Client, path: str, kind: str
) -> None:
    operation = follow(operator, send(operator, "POST", f"devices/device1/{path}/"))
    assert {name: operation[name] for name in ("device", "kind", "status", "actor", "result", "finished")} == {
        "device": "device1", "kind": kind, "status": "queued", "actor": "legacy@10.2.0.5", "result": "",
        "finished": None,
    }  # fmt: skip


@pytest.mark.parametrize(("path", "kind"), [("test", "test_controller"), ("read-outlets", "read_outlets")])
def test_a_question_to_a_controller_answers_with_an_operation_to_follow(
    operator: Client, path: str, kind: str
) -> None:
    first = follow(operator, send(operator, "POST", f"power-controllers/relay-1/{path}/"))
    assert {name: first[name] for name in ("device", "controller", "kind", "status", "found")} == {
        "device": None, "controller": "relay-1", "kind": kind, "status": "queued", "found": None,
    }  # fmt: skip
    # Who asks the same meanwhile follows the same.
    again = follow(operator, send(operator, "POST", f"power-controllers/relay-1/{path}/"))
    assert again == first
    listed = get(operator, "operations/?controller=relay-1").json()["results"]
    assert [row["id"] for row in listed] == [first["id"]]
    problem(send(operator, "POST", f"power-controllers/nosuch/{path}/"), 404, "not_found", "name")
    problem(send(operator, "POST", f"power-controllers/relay-1/{path}/", {"x": 1}), 400, "invalid", "x")


def test_a_power_cycle_into_the_network_tells_the_device_what_it_boots(operator: Client) -> None:
    body = {"netboot": "fake-b2g", "boot_config": {"b2gbase": "http://x/42"}}
    follow(operator, send(operator, "POST", "devices/device1/power-cycle/", body))
    device = Device.objects.get(name="device1")
    assert device.netboot == BootConfig.objects.get(name="fake-b2g")
    assert device.next_boot_config == '{"b2gbase": "http://x/42"}'
    assert send(operator, "POST", "devices/device1/clear-netboot/").json() == {"cleared": True}
    assert send(operator, "POST", "devices/device1/clear-netboot/").json() == {"cleared": False}


def test_whoever_holds_a_device_may_cycle_its_power_and_no_more() -> None:
    request = make_request(Image.objects.get(name="android"), owner="rita")
    Device.objects.filter(name="device1").update(held_by=request.pk, idle_since=None)
    rita, rob = person("rita", "requester"), person("rob", "requester")
    follow(rita, send(rita, "POST", "devices/device1/power-cycle/"))
    problem(send(rob, "POST", "devices/device1/power-cycle/"), 403, "not_allowed", "device")
    problem(send(rita, "POST", "devices/device2/power-cycle/"), 403, "not_allowed", "device")
    for action in ACTIONS[1:]:
        problem(send(rita, "POST", f"devices/device1/{action}/"), 403, "not_allowed")


def test_who_has_just_lost_a_device_cycles_nobody_elses_power(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.objects.get(name="android")
    mine, next_ = make_request(image, owner="rita"), make_request(image, owner="rob")
    Device.objects.filter(name="device1").update(held_by=mine.pk, idle_since=None)
    queue = services.power_cycle

    def changes_hands_first(*words: Any, **options: Any) -> Operation:
        Device.objects.filter(name="device1").update(held_by=next_.pk)
        return queue(*words, **options)

    monkeypatch.setattr(services, "power_cycle", changes_hands_first)
    problem(
        send(person("rita", "requester"), "POST", "devices/device1/power-cycle/"), 409, "conflict", "device"
    )
    assert not Operation.objects.exists()


def test_a_reimage_is_asked_of_lifeguard(operator: Client) -> None:
    body = {"image": "b2g", "boot_config": {"b2gbase": "http://x/42"}}
    answer = send(operator, "POST", "devices/device1/please/image/", body)
    operation = follow(operator, answer)
    assert (operation["kind"], operation["status"]) == ("power_cycle", "queued")
    device = answer.json()["device"]
    assert (device["state"], device["next_image"], device["state_seq"]) == ("pxe_power_cycling", "b2g", 1)
    assert device == get(operator, "devices/device1/").json()


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("self-test", "pxe_power_cycling"),
        ("maintenance", "pxe_power_cycling"),
        ("power-cycle", "pc_power_cycling"),
    ],
)
def test_each_thing_that_lifeguard_can_be_asked_for_has_a_path(
    operator: Client, path: str, state: str
) -> None:
    answer = send(operator, "POST", f"devices/device1/please/{path}/", {})
    assert follow(operator, answer)["device"] == "device1"
    assert answer.json()["device"]["state"] == state


def test_a_state_that_does_not_allow_it_is_a_conflict(operator: Client) -> None:
    Device.objects.filter(name="device1").update(state="locked_out", idle_since=None)
    detail = problem(send(operator, "POST", "devices/device1/please/self-test/"), 409, "conflict", "state")
    assert "locked_out" in detail


def test_a_device_is_forced_from_the_state_that_was_seen(operator: Client) -> None:
    body = {"from": "ready", "to": "locked_out", "reason": "screen broken, bug 4711"}
    device = send(operator, "POST", "devices/device1/state/", body).json()
    assert (device["name"], device["state"], device["idle_since"]) == ("device1", "locked_out", None)
    told = "forced from ready to locked_out by legacy@10.2.0.5: screen broken, bug 4711"
    assert Journal.objects.filter(device_id=1, event="forced", message=told).count() == 1
    problem(send(operator, "POST", "devices/device1/state/", body), 409, "conflict", "state")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("power-cycle", {"netboot": "nothing"}, "netboot"),
        ("power-cycle", {"netboot": 5}, "netboot"),
        ("power-cycle", {"netboot": "fake-b2g", "boot_config": []}, "boot_config"),
        ("power-cycle", {"netboot": "fake-b2g", "boot_config": {"a b": 1}}, "boot_config"),
        ("power-cycle", {"netboot": "fake-b2g", "boot_config": {"a": "http://evil/"}}, "boot_config.a"),
        ("power-cycle", {"boot_config": {"a": 1}}, "boot_config"),
        ("power-cycle", {"reason": "x"}, "reason"),
        ("power-off", {"now": True}, "now"),
        ("ping", {"count": 3}, "count"),
        ("please/image", {}, "image"),
        ("please/image", {"image": "nothing"}, "image"),
        ("please/image", {"image": "b2g"}, "boot_config.b2gbase"),
        ("please/image", {"image": "b2g", "boot_config": {"b2gbase": ""}}, "boot_config.b2gbase"),
        ("please/image", {"image": "b2g", "boot_config": {"b2gbase": 1.5}}, "boot_config.b2gbase"),
        ("please/image", {"image": "b2g", "boot_config": {"b2gbase": "1", "x": 1}}, "boot_config.x"),
        ("please/image", {"image": "android", "boot_config": None}, "boot_config"),
        ("please/self-test", {"image": "android"}, "image"),
        ("state", {}, "from"),
        ("state", {"from": "ready", "to": "locked_out"}, "reason"),
        ("state", {"from": "ready", "to": "locked_out", "reason": " "}, "reason"),
        ("state", {"from": "ready", "to": "start_self_test", "reason": "x"}, "to"),
        ("state", {"from": "ready", "to": "gone", "reason": "x"}, "to"),
        ("state", {"from": "ready", "to": "locked_out", "reason": "x" * 301}, "reason"),
    ],
)  # fmt: skip
def test_an_action_with_a_bad_body_is_refused_by_field_and_does_nothing(
    operator: Client, unchanged: Unchanged, path: str, body: object, field: str
) -> None:
    with unchanged():
        problem(send(operator, "POST", f"devices/device1/{path}/", body), 400, "invalid", field)


def test_a_device_without_an_outlet_has_no_power_to_cycle(operator: Client) -> None:
    Device.objects.filter(name="device1").update(power_controller=None, outlet="")
    problem(send(operator, "POST", "devices/device1/power-off/"), 409, "conflict", "outlet")
    assert not Operation.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_are_for_those_who_may_and_on_what_there_is(
    operator: Client, stranger: Client, action: str
) -> None:
    path = f"devices/device1/{action}/"
    problem(send(stranger, "POST", path, {}), 401, "not_authenticated")
    problem(send(person("vera", "viewer"), "POST", path, {}), 403, "not_allowed")
    problem(get(operator, path), 405, "wrong_method")
    problem(send(operator, "POST", path.replace("device1", "nobody"), {}), 404, "not_found", "device")


def test_a_device_has_no_other_wishes(operator: Client) -> None:
    problem(send(operator, "POST", "devices/device1/please/dance/", {}), 404, "not_found")
    problem(send(at("10.2.0.5"), "POST", "devices/device1/dance/", {}), 404, "not_found")
