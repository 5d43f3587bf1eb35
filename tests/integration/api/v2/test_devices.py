"""The list of devices and single ones: what is told, to whom, by pages, and whether it changed."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from devices.models import BootConfig, Device, Journal, PowerController
from mozpool_site.access.models import AuditEntry
from requests_app.api.v2_devices import DeviceViewSet
from tests.factories import change, make_devices, make_request
from tests.integration.api.pool import at, person
from tests.integration.api.v2.calls import get, names, problem, send

ALL = ["baddev", "device1", "device2", "device3", "device4", "norelay", "otherdev"]


def test_a_device_is_told_with_all_that_the_schema_promises(operator: Client) -> None:
    device = get(operator, "devices/device1/").json()
    assert set(device) == set(DeviceViewSet.serializer_class().fields)
    assert device["url"] == "http://mozpool.example/api/v2/devices/device1/"
    assert device["rack"] == "here"
    assert device["hardware_type"] == "panda/es-b3"
    assert device["power"] == {"controller": "relay-1", "outlet": "bank1:relay1"}
    assert device["image"] == "android"
    assert device["next_image"] is None
    assert device["boot_config"] == {}
    assert device["request"] is None
    assert device["state"] == "ready"
    assert device["tags"] == []


def test_a_path_without_its_slash_is_served_and_not_redirected(operator: Client) -> None:
    assert get(operator, "devices/device1").json() == get(operator, "devices/device1/").json()
    assert get(operator, "devices").json()["results"] == get(operator, "devices/").json()["results"]


def test_the_list_tells_each_device_as_it_is_told_alone(operator: Client) -> None:
    for device in get(operator, "devices/").json()["results"]:
        assert device == get(operator, f"devices/{device['name']}/").json()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        ("ordering=-name", ALL[::-1]),
        ("state=ready", ["device1", "device2", "device3", "device4", "otherdev"]),
        ("state=READ", []),
        ("rack=there", ["otherdev"]),
        ("environment=odd", ["baddev", "device2", "device4", "norelay"]),
        ("environment=odd&state=ready", ["device2", "device4"]),
        ("hardware_type=panda/es-b3", ALL),
        ("image=android", ["device1", "device2", "device3", "device4"]),
        ("health=unknown", ALL),
        ("health=bad", []),
        ("held=true", ["device3"]),
        ("held=false&rack=here", ["baddev", "device1", "device2", "device4", "norelay"]),
        ("idle=true&rack=here", ["device1", "device2", "device4"]),
        ("search=DEV", ["device1", "device2", "device3", "device4"]),
        ("search=vice", []),
        ("search=00:00:00:00:00:02", ["device3"]),
        ("tag=hdmi", ["device2"]),
        ("tag=hdm", []),
        ("tag=%25", []),
    ],
)
def test_the_list_is_narrowed_down(operator: Client, query: str, found: list[str]) -> None:
    change(Device.objects.get(name="device2"), tags=["usb", "hdmi"])
    Device.objects.filter(name="device3").update(held_by=7, idle_since=None)
    assert names(get(operator, f"devices/?{query}")) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=red", "colour"),
        ("rack=nowhere", "rack"),
        ("image=nothing", "image"),
        ("hardware_type=panda", "hardware_type"),
        ("health=fine", "health"),
        ("held=yes", "held"),
        ("idle=1", "idle"),
        ("ordering=comments", "ordering"),
        ("ordering=--name", "ordering"),
        ("ordering=", "ordering"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%2B5", "limit"),
        ("cursor=", "cursor"),
        ("cursor=x", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=bnVsbA==", "cursor"),
        ("cursor=WyJuYW1lIixmYWxzZSwiYSIsMV0", "cursor"),
        ("cursor=" + "A" * 2000, "cursor"),
        ("search=" + "x" * 64, "search"),
        ("state=%00", "state"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(operator: Client, query: str, field: str) -> None:
    problem(get(operator, f"devices/?{query}"), 400, "invalid", field)


def test_pages_lead_forward_and_back_over_every_device_once(operator: Client) -> None:
    make_devices(30)
    for ordering in ("name", "-name", "state_since", "-state_since"):
        there, url = [], f"devices/?ordering={ordering}&limit=4"
        page: Any = {}
        while url:
            page = get(operator, url).json()
            assert len(page["results"]) == 4 or page["next"] is None
            there += [row["name"] for row in page["results"]]
            last, url = url, (page["next"] or "").rpartition("/api/v2/")[2]
        assert sorted(there) == sorted(set(there))
        assert len(there) == 37
        back = [row["name"] for row in page["results"]][::-1]
        while page["previous"]:
            page = get(operator, page["previous"].rpartition("/api/v2/")[2]).json()
            back += [row["name"] for row in page["results"]][::-1]
        assert back == there[::-1], ordering
        assert last


def test_devices_of_one_moment_are_no_trouble_to_the_pages(operator: Client) -> None:
    moment = Device.objects.get(name="device1").state_since
    Device.objects.update(state_since=moment)
    first = get(operator, "devices/?ordering=state_since&limit=3").json()
    second = get(operator, first["next"].rpartition("/api/v2/")[2]).json()
    third = get(operator, second["next"].rpartition("/api/v2/")[2]).json()
    told = [row["name"] for page in (first, second, third) for row in page["results"]]
    assert sorted(told) == ALL
    assert third["next"] is None


def test_a_row_that_comes_meanwhile_shifts_no_page(operator: Client) -> None:
    first = get(operator, "devices/?limit=3").json()
    make_devices(1, name="aaa", fqdn="aaa.example", mac="0000000000ee")
    second = names(get(operator, first["next"].rpartition("/api/v2/")[2]))
    assert second == ["device3", "device4", "norelay", "otherdev"][:3]


def test_a_cursor_of_another_ordering_is_refused(operator: Client) -> None:
    cursor = get(operator, "devices/?limit=2").json()["next"].rpartition("cursor=")[2]
    detail = problem(
        get(operator, f"devices/?limit=2&ordering=-name&cursor={cursor}"), 400, "invalid", "cursor"
    )
    assert "another ordering" in detail


@pytest.mark.parametrize("limit", [2, 100])
def test_a_page_costs_the_same_queries_however_long_it_is(
    operator: Client, limit: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_devices(100)
    with django_assert_num_queries(
        6
    ):  # the page's keys, its rows, racks, hardware, images, power controllers
        assert len(get(operator, f"devices/?limit={limit}").json()["results"]) == limit
    # What the caller holds, for whom boot configs are masked.
    with django_assert_num_queries(7):
        get(at("10.1.0.5"), f"devices/?limit={limit}")
    with django_assert_num_queries(5):
        get(operator, "devices/device1/")


def test_what_the_caller_knows_already_is_not_sent_again(operator: Client) -> None:
    for path in ("devices/device1/", "devices/?limit=3"):
        first = get(operator, path)
        again = get(operator, path, if_none_match=first["ETag"])
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert get(operator, path, if_none_match=f'"other", W/{first["ETag"]}').status_code == 304
        assert get(operator, path, if_none_match="*").status_code == 304
        Device.objects.filter(name="device1").update(comments=path)
        assert get(operator, path, if_none_match=first["ETag"]).status_code == 200


def test_a_boot_config_is_for_its_holder_and_for_operators() -> None:
    secret = {"b2gbase": "http://x/secret"}
    mine = make_request(
        Device.objects.get(name="device1").image,  # type: ignore[arg-type]
        owner="rita",
        boot_config=json.dumps(secret),
    )
    Device.objects.filter(name="device1").update(
        boot_config=json.dumps(secret), held_by=mine.pk, idle_since=None
    )
    Device.objects.filter(name="device2").update(boot_config=json.dumps(secret))
    rita, oscar, vera = (
        person("rita", "requester"), person("oscar", "operator"), person("vera", "viewer"),
    )  # fmt: skip
    shown = {
        (client, name): get(client, f"devices/{name}/").json()["boot_config"]
        for client in (rita, oscar, vera)
        for name in ("device1", "device2")
    }
    assert [shown[rita, "device1"], shown[rita, "device2"]] == [secret, None]
    assert [shown[oscar, "device1"], shown[oscar, "device2"]] == [secret, secret]
    assert [shown[vera, "device1"], shown[vera, "device2"]] == [None, None]


def test_an_operator_notes_and_moves_a_device(operator: Client) -> None:
    body = {"comments": " screen\nbroken ", "environment": "spare", "tags": ["hdmi"]}
    device = send(operator, "PATCH", "devices/device1/", body).json()
    assert {name: device[name] for name in body} == body
    lines = Journal.objects.filter(device_id=1).order_by("id").values_list("event", "source", "actor")
    assert list(lines) == [
        ("set_comments", "api", "legacy@10.2.0.5"),
        ("set_environment", "api", "legacy@10.2.0.5"),
        ("changed", "api", "legacy@10.2.0.5"),
    ]
    entry = AuditEntry.objects.get(action="change_device")
    assert (entry.target, entry.before["environment"], entry.after["environment"]) == (
        "device1", "even", "spare",
    )  # fmt: skip


def test_the_inventory_is_the_administrators(operator: Client) -> None:
    body = {"fqdn": "new.example"}
    problem(send(operator, "PATCH", "devices/device1/", body), 403, "not_allowed")
    assert send(person("ada", "admin"), "PATCH", "devices/device1/", body).json()["fqdn"] == "new.example"
    problem(send(at("10.1.0.5"), "PATCH", "devices/device1/", {"comments": "x"}), 403, "not_allowed")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": "ready"}, "state"),
        ({"colour": "red"}, "colour"),
        ({"environment": "any"}, "environment"),
        ({"environment": "with space"}, "environment"),
        ({"environment": None}, "environment"),
        ({"comments": "x" * 10_001}, "comments"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"tags": ["no space"]}, "tags"),
        ({"tags": "hdmi"}, "tags"),
        ({"tags": ["x"] * 65}, "tags"),
        ({"mac": "00:00:00:00:00:00"}, "mac"),
        ({"mac": "000000000001"}, "mac"),
        ({"mac": "000000000000"}, "mac"),
        ({"mac": "ffffffffffff"}, "mac"),
        ({"mac": "01005e000001"}, "mac"),
        ({"name": "DEVICE2"}, "name"),
        ({"address": "2001:db8::1"}, "address"),
        ({"address": "0.1.2.3"}, "address"),
        ({"address": "255.255.255.255"}, "address"),
        ({"address": "224.0.0.1"}, "address"),
        ({"address": "127.0.0.1"}, "address"),
        ({"fqdn": "localhost"}, "fqdn"),
        ({"fqdn": "10.0.0.9"}, "fqdn"),
        ({"address": "10.0.0.2"}, "address"),
        ({"name": "any"}, "name"),
        ({"name": "a_b"}, "name"),
        ({"rack": "nowhere"}, "rack"),
        ({"rack": 1}, "rack"),
        ({"hardware_type": "panda/none"}, "hardware_type"),
        ({"address": "300.1.1.1"}, "address"),
        ({"inventory_id": -1}, "inventory_id"),
        ({"inventory_id": 10**30}, "inventory_id"),
        ({"power": {"controller": "relay-1", "outlet": "bank9:relay1"}}, "outlet"),
        ({"power": {"controller": "relay-1", "outlet": "bank1:relay2"}}, None),
        ({"power": {"controller": "relay-1"}}, "power.outlet"),
        ({"power": 5}, "power"),
    ],
)
def test_a_change_that_can_not_be_is_refused_by_field_and_changes_nothing(
    body: dict[str, object], field: str | None
) -> None:
    before = Device.objects.values().get(name="device1")
    problem(send(person("ada", "admin"), "PATCH", "devices/device1/", body), 400, "invalid", field)
    assert Device.objects.values().get(name="device1") == before


def test_every_fault_of_a_body_is_told_at_once() -> None:
    body = {"mac": "x", "rack": "nowhere", "inventory_id": "many"}
    answer = send(person("ada", "admin"), "PATCH", "devices/device1/", body).json()
    assert {fault["field"] for fault in answer["errors"]} == {"mac", "rack", "inventory_id"}


def test_a_change_is_made_only_on_what_was_read(operator: Client) -> None:
    seen = get(operator, "devices/device1/")["ETag"]
    assert send(operator, "PATCH", "devices/device1/", {"comments": "one"}, if_match=seen).status_code == 200
    late = send(operator, "PATCH", "devices/device1/", {"comments": "two"}, if_match=seen)
    problem(late, 412, "precondition_failed")
    assert Device.objects.get(name="device1").comments == "one"


def test_an_administrator_enters_a_device_into_the_inventory() -> None:
    ada = person("ada", "admin")
    body = {
        "name": "panda-9", "fqdn": "panda-9.example", "mac": "02000000abcd", "rack": "here",
        "hardware_type": "panda/es-b3", "environment": "spare",
        "power": {"controller": "relay-1", "outlet": "bank2:relay1"},
    }  # fmt: skip
    answer = send(ada, "POST", "devices/", body)
    assert answer.status_code == 201
    assert answer["Location"] == "http://mozpool.example/api/v2/devices/panda-9/"
    device = Device.objects.get(name="panda-9")
    assert (device.state, device.tags, device.power_controller) == (
        "new", [], PowerController.objects.get(name="relay-1"),
    )  # fmt: skip
    assert answer.json()["power"] == body["power"]
    problem(send(ada, "POST", "devices/", body), 400, "invalid", "name")
    assert AuditEntry.objects.get(action="create_device").actor == "ada"


def test_a_device_with_a_holder_or_a_history_stays() -> None:
    ada = person("ada", "admin")
    Device.objects.filter(name="device1").update(held_by=7, idle_since=None)
    assert "request 7" in problem(send(ada, "DELETE", "devices/device1/"), 409, "conflict")
    Journal.objects.create(device_id=2, message="once upon a time")
    assert "retire" in problem(send(ada, "DELETE", "devices/device2/"), 409, "conflict")
    answer = send(ada, "DELETE", "devices/device4/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Device.objects.filter(name="device4").exists()


@pytest.mark.parametrize("name", ["nobody", "device1%00", "..", "device1%0a", "x" * 300, "☃"])
def test_a_device_that_is_not_there_is_a_problem(operator: Client, name: str) -> None:
    problem(get(operator, f"devices/{name}/"), 404, "not_found", "name")


def test_the_journal_of_a_device_comes_newest_first(operator: Client) -> None:
    for number in range(5):
        Journal.objects.create(device_id=1, message=f"line {number}")
    Journal.objects.create(device_id=2, message="of another")
    first = get(operator, "devices/device1/journal/?limit=3").json()
    assert [line["message"] for line in first["results"]] == ["line 4", "line 3", "line 2"]
    assert first["results"][0]["device"] == "device1"
    rest = get(operator, first["next"].rpartition("/api/v2/")[2]).json()
    assert [line["message"] for line in rest["results"]] == ["line 1", "line 0"]
    problem(get(operator, "devices/device1/journal/?state=ready"), 400, "invalid", "state")


def test_what_a_device_still_has_of_the_holder_before_is_not_for_the_next_one() -> None:
    mine = make_request(Device.objects.get(name="device1").image, owner="rita")  # type: ignore[arg-type]
    Device.objects.filter(name="device1").update(
        boot_config='{"b2gbase": "http://x/secret"}', held_by=mine.pk, idle_since=None
    )
    rita = person("rita", "requester")
    assert get(rita, "devices/device1/").json()["boot_config"] is None
    (old,) = [entry for entry in old_list(rita) if entry["name"] == "device1"]
    assert old["boot_config"] == "***"


def old_list(client: Client) -> list[dict[str, Any]]:
    """Give the legacy API's devices as somebody sees them."""
    devices: list[dict[str, Any]] = client.get("/api/device/list/?details").json()["devices"]
    return devices


def test_a_device_keeps_its_boot_config_while_it_boots_from_it() -> None:
    config = BootConfig.objects.get(name="fake-b2g")
    Device.objects.filter(name="device1").update(netboot=config)
    Device.objects.exclude(name="device1").update(image=None)
    detail = problem(send(person("ada", "admin"), "DELETE", "boot-configs/fake-b2g/"), 409, "conflict")
    assert "needed by" in detail
