"""Stories of devices as old clients and boot scripts see them: lists, state, status, events, boot config."""

import json

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from devices import snapshots
from devices.models import Device, Journal
from tests.integration.api import pool

SECRET = '{"b2gbase": "http://x/secret"}'


def last_line(device: str) -> tuple[str, str, str]:
    line = Journal.objects.filter(device_id=Device.objects.get(name=device).pk).latest("time", "id")
    return line.source, line.actor, line.message


def put(device: str, **columns: object) -> Device:
    """Put a device where the story begins, as a runner would have."""
    Device.objects.filter(name=device).update(**columns)
    return Device.objects.get(name=device)


def test_the_list_gives_names_in_order(old_client: Client) -> None:
    answer = old_client.get("/api/device/list/")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {"devices": sorted(row[0] for row in pool.RECORDED)}


@pytest.mark.parametrize("query", ["?details", "?details=1", "?details=0"])
def test_the_presence_of_details_counts_and_not_its_value(old_client: Client, query: str) -> None:
    devices = old_client.get(f"/api/device/list/{query}").json()["devices"]
    assert devices[0] == {
        "id": 1,
        "name": "device1",
        "fqdn": "device1.fqdn",
        "inventory_id": 1111,
        "mac_address": "000000000000",
        "imaging_server": "mozpool.example",
        "relay_info": "relay-1.example:2101:bank1:relay1",
        "state": "ready",
        "comments": None,
        "image": "android",
        "boot_config": "{}",
        "environment": "even",
        "request_id": None,
    }


def test_the_relay_boards_usual_port_is_told_too(old_client: Client) -> None:
    device = Device.objects.select_related("power_controller").get(name="device1")
    assert device.power_controller is not None
    device.power_controller.address = "relay-1.example"
    device.power_controller.save()
    Device.objects.filter(name="device2").update(power_controller=None, outlet="")
    devices = old_client.get("/api/device/list/?details").json()["devices"]
    assert [device["relay_info"] for device in devices[:2]] == ["relay-1.example:2101:bank1:relay1", ""]


@pytest.mark.parametrize("page", ["state", "status", "bootconfig"])
def test_one_device_is_found_by_its_name_with_and_without_the_slash(old_client: Client, page: str) -> None:
    with_slash = old_client.get(f"/api/device/device1/{page}/")
    without = old_client.get(f"/api/device/device1/{page}")
    assert (with_slash.status_code, with_slash.json()) == (200, without.json())


def test_the_state_is_always_fresh(old_client: Client) -> None:
    assert old_client.get("/api/device/device1/state/").json() == {"state": "ready"}
    put("device1", state="locked_out")
    answer = old_client.get("/api/device/device1/state/")
    assert (answer.json(), answer.headers["Cache-Control"]) == ({"state": "locked_out"}, "no-store")


def test_a_state_may_be_told_from_memory_until_it_is_five_seconds_old(
    old_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(snapshots, "monotonic", lambda: clock[0])
    told = []
    put("device1", state="ready")
    for seconds, state in ((0, "new"), (3.5, "new"), (1.4, "locked_out"), (0.2, "new")):
        clock[0] += seconds
        answer = old_client.get("/api/device/device1/state/?cache=1")
        assert answer.headers["Vary"] == "Authorization, Cookie, Origin"
        told.append((answer.json()["state"], answer.headers["Cache-Control"]))
        put("device1", state=state)
    assert told == [
        ("ready", "private, max-age=5"),
        ("ready", "private, max-age=1"),
        ("ready", "private, max-age=0"),
        ("locked_out", "private, max-age=5"),
    ]


def test_a_device_that_memory_does_not_know_yet_is_looked_for(old_client: Client) -> None:
    assert old_client.get("/api/device/device1/state/?cache").json() == {"state": "ready"}
    device = Device.objects.get(name="norelay")
    device.pk, device.name, device.mac, device.outlet = None, "brandnew", "ff" * 6, "bank1:relay9"
    device.save(force_insert=True)
    assert old_client.get("/api/device/brandnew/state/?cache").json() == {"state": "new"}
    assert old_client.get("/api/device/nobody/state/?cache").status_code == 404


def test_memory_tells_nobody_who_may_not_know(old_client: Client, stranger: Client) -> None:
    assert old_client.get("/api/device/device1/state/?cache").status_code == 200
    assert stranger.get("/api/device/device1/state/?cache").status_code == 401


def test_many_who_ask_from_memory_cost_one_query(
    old_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        for number in (1, 2, 3, 4) * 5:
            old_client.get(f"/api/device/device{number}/state/?cache=1")


def test_status_shows_the_last_hundred_lines_oldest_first(old_client: Client) -> None:
    Journal.objects.bulk_create(Journal(device_id=1, message=f"line {number}") for number in range(130))
    status = old_client.get("/api/device/device1/status/").json()
    assert status["state"] == "ready"
    assert [line["message"] for line in status["log"]] == [f"line {number}" for number in range(30, 130)]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_boot_script_tells_its_devices_event_from_its_own_address(method: str) -> None:
    put("device1", state="pxe_booting")
    board = pool.at("127.9.0.1")
    answer = board.generic(method, "/api/device/device1/event/mobile_init_started/")
    assert (answer.status_code, answer.json()) == (200, {})
    assert Device.objects.get(name="device1").state == "mobile_init_started"
    assert last_line("device1") == ("api", "legacy@127.9.0.1", "entering state mobile_init_started")


def test_the_event_of_an_old_script_names_its_image() -> None:
    put("device1", state="downloading")
    assert pool.at("127.9.0.1").get("/api/device/device1/event/b2g_extracting").status_code == 200
    assert Device.objects.get(name="device1").state == "extracting"


def test_a_device_does_not_speak_for_another() -> None:
    put("device2", state="pxe_booting")
    answer = pool.post(pool.at("127.9.0.1"), "/api/device/device2/event/mobile_init_started/")
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert Device.objects.get(name="device2").state == "pxe_booting"


def test_an_old_client_is_no_device(old_client: Client) -> None:
    put("device1", state="pxe_booting")
    assert pool.post(old_client, "/api/device/device1/event/mobile_init_started/").status_code == 403


def test_without_legacy_mode_an_address_says_nothing(settings: Settings) -> None:
    settings.MOZPOOL_TRUSTED_NETWORKS = ()
    put("device1", state="pxe_booting")
    assert pool.at("127.9.0.1").get("/api/device/device1/event/mobile_init_started/").status_code == 401


@pytest.mark.parametrize(
    "event", ["foo", "power_cycle_ok", "verify_agent_ok", "timeout", "please_image", "forced"]
)
def test_an_event_that_is_no_devices_own_is_only_journalled(operator: Client, event: str) -> None:
    before = put("device1", state="pxe_power_cycling")
    for method in ("GET", "POST"):
        answer = operator.generic(method, f"/api/device/device1/event/{event}/")
        assert (answer.status_code, answer.json()) == (200, {})
    after = Device.objects.get(name="device1")
    assert (after.state, after.state_seq) == (before.state, before.state_seq)
    ignored = f"ignored event {event} in state pxe_power_cycling"
    assert last_line("device1") == ("api", "legacy@10.2.0.5", ignored)


def test_an_event_that_the_state_does_not_list_is_journalled_and_answered_alike(operator: Client) -> None:
    assert pool.post(operator, "/api/device/device1/event/self_test_ok/").status_code == 200
    assert last_line("device1")[2] == "ignored event self_test_ok in state ready"


def test_the_arguments_of_an_event_must_be_an_object(operator: Client) -> None:
    path = "/api/device/device1/event/foo/"
    assert pool.post(operator, path, {"more": 1}).status_code == 200
    assert pool.post(operator, path, []).status_code == 400


def test_the_boot_config_is_that_of_the_next_image(operator: Client) -> None:
    put("device4", next_boot_config=SECRET)
    answer = operator.get("/api/device/device4/bootconfig")
    assert (answer.json(), answer.headers["Content-Type"]) == (
        json.loads(SECRET),
        "application/json; charset=utf-8",
    )


def test_without_a_next_image_the_boot_config_is_empty(old_client: Client) -> None:
    assert old_client.get("/api/device/device3/bootconfig/").json() == {}


@pytest.mark.parametrize("copies", [0, 40])
def test_lists_cost_as_many_queries_however_long_they_are(
    operator: Client, old_client: Client, copies: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    device = Device.objects.get(name="device1")
    for number in range(copies):
        device.pk, device.name, device.mac = None, f"copy{number}", f"ff{number:010x}"
        device.power_controller, device.outlet = None, ""
        device.save(force_insert=True)
    for client, path, queries in (
        (operator, "/api/device/list/", 1),
        (operator, "/api/device/list/?details", 4),
        (old_client, "/api/device/list/?details", 5),
    ):
        with django_assert_num_queries(queries):
            assert len(client.get(path).json()["devices"]) == 7 + copies


def test_one_device_costs_a_query_and_its_log_another(
    old_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for page, queries in (("state", 1), ("status", 2), ("bootconfig", 1)):
        with django_assert_num_queries(queries):
            old_client.get(f"/api/device/device1/{page}/")
