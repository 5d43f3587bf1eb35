"""Stories of requests as an old client lives them: file, look, renew, return."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, Journal
from mozpool_site import clock
from requests_app.models import Request
from tests.integration.api.pool import post

ORDER = {"assignee": "me@x", "duration": 3600, "image": "android"}


def file(client: Client, device: str = "any", **more: object) -> dict[str, Any]:
    answer = post(client, f"/api/device/{device}/request/", {**ORDER, **more})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()["request"]
    return found


def held_by(device: str) -> int | None:
    return Device.objects.get(name=device).held_by


def test_a_request_for_any_device_names_the_device_at_once(old_client: Client) -> None:
    request = file(old_client)
    assert request["requested_device"] == "any"
    assert held_by(request["assigned_device"]) == request["id"]
    assert request["url"] == f"http://mozpool.example/api/request/{request['id']}/"
    assert request["boot_config"] == "{}"
    assert Request.objects.get(pk=request["id"]).state == "pending"


def test_expiry_is_told_in_naive_utc_with_microseconds(old_client: Client) -> None:
    expires = file(old_client)["expires"]
    moment = datetime.strptime(expires, "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    assert abs(moment - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=30)


def test_a_whole_second_still_has_its_microseconds(old_client: Client) -> None:
    request = file(old_client)
    Request.objects.filter(pk=request["id"]).update(expires=datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
    answer = old_client.get(f"/api/request/{request['id']}/details/")
    assert answer.json()["expires"] == "2026-11-22T12:00:00.000000"


def test_a_device_can_be_asked_for_by_name(old_client: Client) -> None:
    request = file(old_client, "device3")
    assert (request["requested_device"], request["assigned_device"]) == ("device3", "device3")


def test_a_named_device_that_is_taken_gives_409_with_the_request(old_client: Client) -> None:
    first = file(old_client, "device1")
    answer = post(old_client, "/api/device/device1/request/", ORDER)
    assert answer.status_code == 409
    assert answer.json()["error"] == "conflict"
    request = answer.json()["request"]
    assert (request["requested_device"], request["assigned_device"]) == ("device1", "")
    assert Request.objects.get(pk=request["id"]).state == "failed_device_busy"
    assert held_by("device1") == first["id"]


def test_an_old_client_waits_ten_minutes_for_any_device_and_its_time_counts_from_filing(
    old_client: Client,
) -> None:
    request = Request.objects.get(pk=file(old_client, environment="nosuch", duration=7200)["id"])
    assert (request.waits_until - request.created).total_seconds() == 600
    assert (request.expires - request.created).total_seconds() == 7200
    assert (request.duration, request.deadline) == (None, request.waits_until)


def test_an_old_client_waits_half_a_minute_for_a_named_device_that_nobody_has(old_client: Client) -> None:
    Device.objects.filter(name="device1").update(state="pxe_booting", idle_since=None)
    request = Request.objects.get(pk=file(old_client, "device1")["id"])
    assert request.state == "finding_device"
    assert (request.waits_until - request.created).total_seconds() == 30


def test_a_named_device_that_has_failed_fails_the_request_at_once(old_client: Client) -> None:
    request = file(old_client, "baddev")
    assert request["assigned_device"] == ""
    assert Request.objects.get(pk=request["id"]).state == "failed_bad_device"


def test_an_environment_without_devices_leaves_the_request_waiting(old_client: Client) -> None:
    request = file(old_client, environment="nosuch")
    assert (request["environment"], request["assigned_device"]) == ("nosuch", "")
    assert Request.objects.get(pk=request["id"]).state == "finding_device"


def test_only_devices_of_the_environment_are_given(old_client: Client) -> None:
    assert file(old_client, environment="odd")["assigned_device"] in ("device2", "device4")


def test_the_boot_config_has_the_images_keys_and_no_others(old_client: Client) -> None:
    request = file(old_client, image="b2g", b2gbase="http://x/y", other="left out")
    assert request["boot_config"] == '{"b2gbase": "http://x/y"}'


@pytest.mark.parametrize("duration", [60, "60", 60.0], ids=["number", "digits", "whole float"])
def test_a_duration_may_be_written_in_three_ways(old_client: Client, duration: object) -> None:
    request = Request.objects.get(pk=file(old_client, duration=duration)["id"])
    assert request.expires - request.created == timedelta(seconds=60)


def test_the_oldest_clients_say_requester(old_client: Client) -> None:
    body = {"requester": "old@x", "duration": 60, "image": "android"}
    answer = post(old_client, "/api/device/any/request/", body)
    assert answer.json()["request"]["assignee"] == "old@x"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_the_content_type_does_not_matter(old_client: Client, kind: str) -> None:
    assert post(old_client, "/api/device/any/request/", ORDER, kind).status_code == 200


def test_a_post_without_the_slash_is_served_and_not_redirected(old_client: Client) -> None:
    assert post(old_client, "/api/device/any/request", ORDER).status_code == 200


def test_the_list_leaves_closed_requests_out_until_asked(old_client: Client) -> None:
    kept, closed = file(old_client)["id"], file(old_client)["id"]
    assert post(old_client, f"/api/request/{closed}/return/").status_code == 204
    assert [entry["id"] for entry in old_client.get("/api/request/list/").json()["requests"]] == [kept]
    everything = old_client.get("/api/request/list?include_closed").json()["requests"]
    assert [entry["id"] for entry in everything] == [kept, closed]


def test_the_list_has_what_failed_in_the_last_day_and_nothing_older(old_client: Client) -> None:
    numbers = [file(old_client, environment="nosuch")["id"] for _ in range(3)]
    hours = {numbers[0]: 23, numbers[1]: 25}
    for number, passed in hours.items():
        ended = clock.now() - timedelta(hours=passed)
        Request.objects.filter(pk=number).update(state="failed_device_not_found", ended=ended)

    def listed(query: str = "") -> list[int]:
        return [entry["id"] for entry in old_client.get(f"/api/request/list/{query}").json()["requests"]]

    assert listed() == [numbers[0], numbers[2]]
    assert listed("?include_closed=1") == numbers


def test_what_is_ignored_again_and_again_is_noted_once_and_inventions_do_not_fill_the_journal(
    old_client: Client, operator: Client
) -> None:
    request = file(old_client, "device1")["id"]
    before = Journal.objects.count()
    for _ in range(5):
        assert post(old_client, f"/api/request/{request}/event/again/").status_code == 200
        assert post(operator, "/api/device/device1/event/again/").status_code == 200
    assert Journal.objects.count() == before + 2
    for number in range(40):
        assert post(old_client, f"/api/request/{request}/event/made-up-{number}/").status_code == 200
        assert post(operator, f"/api/device/device1/event/made-up-{number}/").status_code == 200
    assert Journal.objects.count() == before + 40
    number = Device.objects.get(name="device1").pk
    for lines in (
        Journal.objects.filter(request_id=request, device_id=None),
        Journal.objects.filter(device_id=number),
    ):
        last = lines.latest("time", "id").message
        assert last.endswith("; more of what is ignored is left out for some minutes")
    Journal.objects.update(time=clock.now() - timedelta(minutes=11))
    assert post(old_client, f"/api/request/{request}/event/again/").status_code == 200
    assert Journal.objects.count() == before + 41


def test_a_list_entry_tells_where_the_request_stands(old_client: Client) -> None:
    request = file(old_client, "device1", assignee="tester")
    (entry,) = old_client.get("/api/request/list/").json()["requests"]
    assert entry == {
        "id": request["id"],
        "imaging_server": "mozpool.example",
        "assignee": "tester",
        "boot_config": "{}",
        "state": "pending",
        "expires": request["expires"],
        "requested_device": "device1",
        "environment": "any",
        "assigned_device": "device1",
        "device_state": "pc_power_cycling",
    }


def test_details_are_the_bare_request(old_client: Client) -> None:
    request = file(old_client)
    assert old_client.get(f"/api/request/{request['id']}/details/").json() == request


def test_status_gives_the_state_and_the_last_hundred_lines(old_client: Client) -> None:
    request = file(old_client)["id"]
    lines = [Journal(request_id=request, message=f"line {number}") for number in range(150)]
    Journal.objects.bulk_create(lines)
    status = old_client.get(f"/api/request/{request}/status/").json()
    assert status["state"] == "pending"
    assert [line["message"] for line in status["log"]] == [f"line {number}" for number in range(50, 150)]


def test_the_log_is_the_requests_own_and_names_sources_as_of_old(old_client: Client) -> None:
    request = file(old_client)["id"]
    Journal.objects.create(request_id=request, source="agent", message="from the agent")
    log = old_client.get(f"/api/request/{request}/log/").json()["log"]
    assert [(line["source"], line["message"]) for line in log] == [
        ("api", "entering state finding_device"),
        ("statemachine", "entering state contacting_lifeguard"),
        ("statemachine", "entering state pending"),
        ("sut", "from the agent"),
    ]
    assert set(log[0]) == {"id", "timestamp", "source", "message"}


def test_renewing_sets_the_time_left_from_now(old_client: Client) -> None:
    request = file(old_client)["id"]
    answer = post(old_client, f"/api/request/{request}/renew/", {"duration": 60})
    assert (answer.status_code, answer.content, answer.headers.get("Content-Type")) == (204, b"", None)
    left = Request.objects.get(pk=request).expires - datetime.now(UTC)
    assert timedelta(seconds=30) < left <= timedelta(seconds=61)


def test_a_closed_request_cannot_be_renewed(old_client: Client) -> None:
    request = file(old_client)["id"]
    post(old_client, f"/api/request/{request}/return/")
    answer = post(old_client, f"/api/request/{request}/renew/", {"duration": 60})
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


def test_returning_frees_the_device_and_may_be_repeated(old_client: Client) -> None:
    request = file(old_client)
    path = f"/api/request/{request['id']}/return"
    assert [post(old_client, path).status_code for _ in range(3)] == [204] * 3
    assert held_by(request["assigned_device"]) is None
    assert Request.objects.get(pk=request["id"]).state == "closed"


def test_the_journal_says_who_filed_renewed_and_returned(old_client: Client) -> None:
    request = file(old_client)["id"]
    post(old_client, f"/api/request/{request}/renew/", {"duration": 60})
    post(old_client, f"/api/request/{request}/return/")
    by_hand = Journal.objects.filter(request_id=request, source="api").order_by("time", "id")
    assert list(by_hand.values_list("actor", "event")) == [
        ("legacy@10.1.0.5", "filed"),
        ("legacy@10.1.0.5", "renewed"),
        ("legacy@10.1.0.5", "return"),
    ]
    assert Request.objects.get(pk=request).owner == "legacy@10.1.0.5"


@pytest.mark.parametrize("rows", [1, 40])
def test_the_list_costs_two_queries_however_long_it_is(
    old_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = Request.objects.get(pk=file(old_client, "device1")["id"])
    for _ in range(rows - 1):
        first.pk = first.filing_key = None
        first.save(force_insert=True)
    with django_assert_num_queries(2):
        assert len(old_client.get("/api/request/list/").json()["requests"]) == rows


def test_a_single_request_costs_two_queries(
    old_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = file(old_client, "device1")["id"]
    for page in ("details", "status", "log"):
        with django_assert_num_queries(2):
            old_client.get(f"/api/request/{request}/{page}/")
