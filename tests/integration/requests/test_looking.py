"""Stories of looking after requests by the v2 API: lists, one, its journal, renewing and giving back."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.journal import append, line
from devices.models import Device, Journal
from mozpool_site import clock
from requests_app.api.v2 import events as streams
from requests_app.free_devices import outages
from requests_app.models import Request
from requests_app.snapshot import stock
from requests_app.waiting.history import history
from requests_app.waiting.queue import queue
from tests.factories import file_order, make_device, make_devices, make_image, make_request

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v2/requests/"


def numbers(client: Client, query: str = "") -> list[int]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["results"]]


def post(client: Client, where: str, body: object) -> Any:
    return client.post(f"{PATH}{where}", json.dumps(body), content_type="application/json")


def test_the_list_is_narrowed_down_by_what_it_shows(alice: Client) -> None:
    android, linux = make_image(), make_image("linux")
    device, named = make_devices(2)
    mine = make_request(android, owner="alice", tags=["gpu"], environment="staging")
    held = make_request(linux, state="ready", device=device, owner="bob", assignee="ci", last_device=device)
    ended = make_request(android, state="closed", ended=clock.now(), requested_device=named)
    for query, expected in {
        "": [ended, held, mine],
        "open=true": [held, mine],
        "open=false": [ended],
        "owner=me": [mine],
        "owner=bob": [held],
        "assignee=ci": [held],
        "state=ready": [held],
        "image=android": [ended, mine],
        f"device={device.name}": [held],
        f"device={named.name}": [ended],
        "environment=staging": [mine],
        "tag=gpu": [mine],
        "tag=gp": [],
        "image=android&open=true": [mine],
        "ordering=id": [mine, held, ended],
    }.items():
        assert numbers(alice, query) == [request.pk for request in expected], query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=nosuch", "state"),
        ("open=maybe", "open"),
        ("image=nosuch", "image"),
        ("device=nosuch", "device"),
        ("ordering=owner", "ordering"),
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("colour=red", "colour"),
    ],
)
def test_a_query_that_means_nothing_is_refused_by_its_name(alice: Client, query: str, field: str) -> None:
    answer = alice.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize("ordering", ["id", "-id", "expires", "-expires", "created", "-created"])
def test_pages_give_every_request_once_there_and_back(alice: Client, ordering: str) -> None:
    image, now = make_image(), clock.now()
    requests = [
        make_request(
            image, expires=now + timedelta(hours=number % 3), created=now - timedelta(hours=number % 2)
        )
        for number in range(7)
    ]
    column = ordering.removeprefix("-")
    keys = [(getattr(one, column), one.pk) if column != "id" else (one.pk,) for one in requests]
    expected = [key[-1] for key in sorted(keys, reverse=ordering.startswith("-"))]
    pages, link = [], f"{PATH}?limit=3&ordering={ordering}"
    while link:
        page = alice.get(link).json()
        pages.append([one["id"] for one in page["results"]])
        link = page["next"] or ""
        previous = page["previous"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [number for page in pages for number in page] == expected
    assert [one["id"] for one in alice.get(previous).json()["results"]] == pages[1]


@pytest.mark.parametrize("sign", ["", "-"])
def test_what_asked_for_a_tag_is_paged_through_there_and_back(alice: Client, sign: str) -> None:
    image = make_image()
    asked = [("usb", "gpu"), ("hdmi",), ("gpu",), (), ("gpu", "hdmi"), ("gpu",), ("gpu",)]
    filed = [(file_order(image, tags=tags).pk, tags) for tags in asked]
    expected = [pk for pk, tags in filed if "gpu" in tags]
    if sign:
        expected.reverse()
    first = alice.get(f"{PATH}?tag=gpu&limit=2&ordering={sign}id").json()
    second = alice.get(first["next"]).json()
    third = alice.get(second["next"]).json()
    pages = [[one["id"] for one in page["results"]] for page in (first, second, third)]
    assert pages == [expected[:2], expected[2:4], expected[4:]]
    assert third["next"] is None
    assert [one["id"] for one in alice.get(third["previous"]).json()["results"]] == pages[1]


def test_a_request_with_tags_costs_one_statement_more_to_file_and_one_without_none() -> None:
    image = make_image()
    stored = []
    for tags in ((), ("gpu",), ("gpu", "usb")):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            file_order(image, tags=tags)
        stored.append(sum("requests_app_requesttag" in one["sql"] for one in asked.captured_queries))
    assert stored == [0, 1, 1]


def test_boot_configs_are_shown_to_their_owners_and_to_operators(
    alice: Client, viewer: Client, operator: Client
) -> None:
    image = make_image(boot_config_keys=["base"])
    request = make_request(image, owner="alice", boot_config='{"base": "secret"}')
    shown = [client.get(f"{PATH}{request.pk}/").json()["boot_config"] for client in (alice, viewer, operator)]
    assert shown == [{"base": "secret"}, None, {"base": "secret"}]


def test_a_request_that_is_read_again_unchanged_costs_no_body(alice: Client) -> None:
    request = make_request(make_image(), state="ready", device=make_device())
    first = alice.get(f"{PATH}{request.pk}/")
    again = alice.get(f"{PATH}{request.pk}", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, first["ETag"][:2]) == (304, b"", "W/")
    Device.objects.update(state="pc_power_cycling")
    assert alice.get(f"{PATH}{request.pk}/", headers={"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.parametrize("number", ["999999", "nosuch", "0", "-1", "9" * 30, "1%00", "٣"])
def test_what_is_no_request_is_not_found(alice: Client, number: str) -> None:
    for where in (f"{number}/", f"{number}/journal/", f"{number}/events/"):
        answer = alice.get(f"{PATH}{where}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_owner_renews_and_gives_back_and_may_do_the_latter_twice(alice: Client) -> None:
    image = make_image()
    request = make_request(image, state="ready", device=make_device(image=image), owner="alice")
    renewed = post(alice, f"{request.pk}/renew/", {"duration": 1800})
    assert renewed.status_code == 200
    assert renewed.json()["seconds_left"] in (1798, 1799, 1800)
    for _ in range(2):
        returned = post(alice, f"{request.pk}/return/", {})
        assert (returned.status_code, returned.json()["state"]) == (200, "closed")
    late = post(alice, f"{request.pk}/renew/", {"duration": 1800})
    assert (late.status_code, late.json()["code"], late.json()["field"]) == (409, "conflict", "state")


def test_others_requests_are_renewed_and_returned_by_operators_only(
    alice: Client, viewer: Client, operator: Client
) -> None:
    request = make_request(make_image(), owner="bob")
    for verb, body in (("renew", {"duration": 60}), ("return", {})):
        assert post(viewer, f"{request.pk}/{verb}/", body).status_code == 403
        assert post(alice, f"{request.pk}/{verb}/", body).json()["code"] == "not_allowed"
        assert post(operator, f"{request.pk}/{verb}/", body).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"duration": 0}, {"duration": "long"}, {"duration": 10**9}, {"duration": None}]
)
def test_a_renewal_without_a_good_duration_is_refused(alice: Client, body: object) -> None:
    request = make_request(make_image(), owner="alice")
    answer = post(alice, f"{request.pk}/renew/", body)
    assert (answer.status_code, answer.json()["field"]) == (400, "duration")


def test_the_journal_tells_of_the_request_and_of_its_device_the_oldest_first(alice: Client) -> None:
    request = make_request(make_image())
    device, now = make_device(), clock.now()
    append(
        [
            line("filed", now, request_id=request.pk),
            line("booting", now + timedelta(seconds=1), request_id=request.pk, device_id=device.pk),
            line("of another", now, request_id=request.pk + 1),
        ]
    )
    page = alice.get(f"{PATH}{request.pk}/journal/?limit=1").json()
    rest = alice.get(page["next"]).json()
    told = [(one["message"], one["device"]) for one in page["results"] + rest["results"]]
    assert told == [("filed", None), ("booting", device.name)]


def test_without_a_server_that_can_wait_streams_end_and_long_polls_answer_at_once(alice: Client) -> None:
    request = make_request(make_image())
    append([line("filed", clock.now(), request_id=request.pk)])
    answer = alice.get(f"{PATH}{request.pk}/events/", headers={"Last-Event-ID": "0"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.count("event: state\n") == text.count("event: journal\n") == 1
    assert alice.get(f"{PATH}{request.pk}/?wait=60").json()["state"] == "finding_device"


def test_who_has_missed_too_much_is_told_so_and_gets_the_newest_lines(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_MISSED", 3)
    request, other = make_request(make_image()), make_request(make_image("b2g"))
    for number in range(5):
        append([line(f"line {number}", clock.now(), request_id=request.pk)])
        append([line("another's", clock.now(), request_id=other.pk)])
    lines = list(Journal.objects.filter(request_id=request.pk).order_by("pk").values_list("pk", flat=True))

    def told(path: str, after: int) -> str:
        answer = alice.get(path, headers={"Last-Event-ID": str(after)})
        return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]

    for path in (f"{PATH}{request.pk}/events/", f"/api/v2/events/?request={request.pk}"):
        text = told(path, 0)
        until = lines[2] - 1
        assert f'id: {until}\nevent: missed\ndata: {{"until":{until}}}\n\n' in text
        assert re.findall(r"line \d", text) == ["line 2", "line 3", "line 4"]
        text = told(path, lines[2])
        assert "missed" not in text
        assert re.findall(r"line \d", text) == ["line 3", "line 4"]
    assert told("/api/v2/events/", 0).count("event: journal") == 3


def test_a_page_costs_the_same_queries_however_many_requests_wait(alice: Client) -> None:
    image = make_image()
    make_devices(5, image=image, held_by=None, state="troubleshooting", deadline=None)
    for tags in ([], ["gpu"]):
        file_order(image, tags=tags)
    # The process learns what these two want, for good.
    numbers(alice)
    counts = []
    for number in (3, 60):
        while Request.objects.count() < number:
            file_order(image, tags=["gpu"] if Request.objects.count() % 2 else [])
        for memory in (stock, queue, history, outages):
            memory.forget()
        with CaptureQueriesContext(connection) as captured:
            assert len(numbers(alice)) == number
        counts.append(len(captured))
    assert counts[0] == counts[1]
