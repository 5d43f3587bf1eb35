"""Operations and the journal: the newest first, narrowed down by what has an index."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bmm.models import Kind, Operation, Status
from devices.models import Device, Journal
from mozpool_site import clock
from tests.integration.api.v2.calls import get, problem

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def history() -> None:
    """Write ten operations and ten lines, on two devices in turn, a minute apart."""
    for number in range(10):
        moment = NOON + timedelta(minutes=number)
        Operation.objects.create(
            device_id=1 + number % 2,
            rack=Device.objects.get(name="device1").rack,
            kind=Kind.PING if number < 5 else Kind.POWER_CYCLE,
            status=Status.DONE if number < 8 else Status.QUEUED,
            created=moment,
            not_before=moment,
        )
        Journal.objects.create(
            time=moment,
            device_id=1 + number % 2,
            request_id=77 if number == 3 else None,
            source="api" if number < 5 else "machine",
            actor="ada",
            message=f"line {number}",
        )


def messages(client: Client, query: str) -> list[str]:
    answer = get(client, f"journal/?{query}")
    assert answer.status_code == 200, answer.content
    return [line["message"] for line in answer.json()["results"]]


@pytest.mark.usefixtures("history")
def test_a_line_is_told_with_its_device_and_its_moment(operator: Client) -> None:
    line = get(operator, "journal/?limit=1").json()["results"][0]
    assert {name: line[name] for name in ("time", "device", "request", "source", "actor", "message")} == {
        "time": "2026-11-20T12:09:00.123456Z", "device": "device2", "request": None, "source": "machine",
        "actor": "ada", "message": "line 9",
    }  # fmt: skip


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("ordering=time&limit=3", [0, 1, 2]),
        ("device=device1", [8, 6, 4, 2, 0]),
        ("request=77", [3]),
        ("device=device2&source=api", [3, 1]),
        ("device=device1&actor=ada&event=x", []),
        (f"since={quote((NOON + timedelta(minutes=7)).isoformat())}", [9, 8, 7]),
        (f"until={quote((NOON + timedelta(minutes=2)).isoformat())}", [1, 0]),
        ("source=machine&since=2026-11-20T11:30:00Z&until=2026-11-20T12:30:00Z", [9, 8, 7, 6, 5]),
    ],
)
def test_the_journal_is_narrowed_down(operator: Client, query: str, numbers: list[int]) -> None:
    assert messages(operator, query) == [f"line {number}" for number in numbers]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("device=nobody", "device"),
        ("request=0", "request"),
        ("request=1.5", "request"),
        ("request=99999999999999999999", "request"),
        ("request=1e3", "request"),
        ("source=rumour", "source"),
        ("source=api", "source"),
        ("actor=ada", "actor"),
        ("event=x&since=2020-01-01T00:00:00Z", "event"),
        ("since=yesterday", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("until=9999-12-31T23:59:59-14:00", "until"),
        # A cursor of that same moment, and one of a number instead of a moment.
        ("cursor=WyItdGltZSIsZmFsc2UsIjAwMDEtMDEtMDFUMDA6MDA6MDArMTQ6MDAiLDFd", "cursor"),
        ("cursor=WyItdGltZSIsZmFsc2UsMSwxXQ==", "cursor"),
        ("ordering=actor", "ordering"),
        ("message=x", "message"),
    ],
)
def test_what_would_read_all_history_is_refused(operator: Client, query: str, field: str) -> None:
    problem(get(operator, f"journal/?{query}"), 400, "invalid", field)


@pytest.mark.usefixtures("history")
def test_operations_are_narrowed_down_and_told_one_by_one(operator: Client) -> None:
    def found(query: str) -> list[int]:
        page = get(operator, f"operations/?{query}").json()
        first = Operation.objects.order_by("pk")[0].pk
        return [row["id"] - first for row in page["results"]]

    assert found("") == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert found("device=device1&ordering=id") == [0, 2, 4, 6, 8]
    assert found("status=queued") == [9, 8]
    assert found("kind=ping&device=device2") == [3, 1]
    number = Operation.objects.order_by("-pk")[0].pk
    assert get(operator, f"operations/{number}/").json()["device"] == "device2"
    for bad in ("0", "x", "99999999999999999999999", "-1", f"{number}.0", "%C2%B2"):
        problem(get(operator, f"operations/{bad}/"), 404, "not_found", "id")
    problem(get(operator, "operations/?status=tired"), 400, "invalid", "status")


@pytest.mark.usefixtures("history")
def test_history_costs_a_page_and_the_names_of_its_devices(
    operator: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for collection in ("operations", "journal"):
        with django_assert_num_queries(2):
            get(operator, f"{collection}/")


def test_lines_of_one_moment_come_each_once(operator: Client) -> None:
    now = clock.now()
    Journal.objects.bulk_create(Journal(time=now, message=f"line {number}") for number in range(25))
    told, path = [], "journal/?limit=4"
    while path:
        page = get(operator, path).json()
        told += [line["message"] for line in page["results"]]
        path = (page["next"] or "").rpartition("/api/v2/")[2]
    assert told == [f"line {number}" for number in range(24, -1, -1)]
