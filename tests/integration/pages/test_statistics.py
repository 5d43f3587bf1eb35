"""The page of statistics: its numbers against requests whose times are known, its cost, and what it refuses."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bmm.models import Kind, Operation, Status
from bmm.operations import Answer
from devices.models import Device, Image
from lifeguard.models import Install
from pages.charts.percentiles import Spread
from pages.statistics import queries
from pages.statistics.periods import Period
from pages.statistics.report import Key, places, read, reports
from requests_app.models import Request
from tests.factories import make_controller, make_device, make_devices, make_image, make_rack, make_request
from tests.integration.access.people import somebody

pytestmark = pytest.mark.django_db

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
PERIOD = Period(SINCE, 3, 86_400)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    reports.forget()
    places.forget()


@pytest.fixture
def image() -> Image:
    return make_image("android")


def at(day: int, hour: float, seconds: float = 0) -> datetime:
    """Give a moment of a day of the period, the first of which is 0."""
    return SINCE + timedelta(days=day, hours=hour, seconds=seconds)


def served(
    image: Image, device: Device, filed: datetime, waited: int, prepared: int, used: int | None
) -> Request:
    """Make a request that took so many seconds; None: it has its device still."""
    matched = filed + timedelta(seconds=waited)
    ready = matched + timedelta(seconds=prepared)
    ended = None if used is None else ready + timedelta(seconds=used)
    return make_request(
        image, state="ready" if used is None else "closed", created=filed, matched_at=matched, ready_at=ready,
        ended=ended, last_device=device,
    )  # fmt: skip


def report(environment: str = "") -> Any:
    return read(Key(PERIOD, environment), NOW)


def viewer() -> Client:
    client = Client()
    client.force_login(somebody("vera", "viewer"))
    return client


def test_the_times_of_a_day_are_those_of_its_requests(image: Image) -> None:
    device = make_device()
    for waited, used in ((10, 600), (20, 700), (30, 800), (40, 900)):
        served(image, device, at(0, 9), waited, 100 + waited, used)
    served(image, device, at(0, 23, 3590), 5, 20, 60)
    make_request(image, created=at(1, 5))
    times = report().times
    assert times.waiting == [Spread(5, 20, 40), None, None]
    assert times.preparing == [Spread(4, 120, 140), Spread(1, 20, 20), None]
    assert times.using == [Spread(4, 700, 900), Spread(1, 60, 60), None]


def test_of_very_many_requests_a_part_tells_the_times(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    device = make_device()
    for _ in range(12):
        served(image, device, at(1, 1), 60, 60, 60)
    monkeypatch.setattr(queries, "SAMPLE", 4)
    times = report().times
    assert times.step == 3
    assert times.waiting[1] == Spread(4, 60, 60)


def test_requests_are_counted_by_how_they_ended(image: Image) -> None:
    device = make_device()
    served(image, device, at(0, 1), 10, 10, 3600)
    make_request(image, state="closed", created=at(1, 1), ended=at(1, 2))
    make_request(image, state="failed_bad_device", created=at(1, 1), ended=at(2, 2))
    make_request(image, state="failed_device_not_found", created=at(1, 1), ended=at(2, 3))
    make_request(image, state="closed", created=at(-2, 1), ended=at(-1, 23))
    assert report().outcomes == [(1, 0, 0), (0, 1, 0), (0, 0, 2)]


def test_use_is_cut_at_midnight_and_runs_on_until_now(image: Image) -> None:
    here = make_device(environment="production")
    there = make_device(environment="staging", rack=make_rack("p2"))
    served(image, here, at(-1, 22), 0, 0, 4 * 3600)  # two hours of it in the period
    served(image, here, at(0, 23), 0, 0, 26 * 3600)  # an hour, a day, an hour
    served(image, there, at(1, 12), 0, 0, None)  # has it still
    make_request(image, created=at(0, 0), ended=at(2, 0))  # never had one
    hour = 3600
    assert report().use == {
        (here.rack_id, "production"): [3 * hour, 24 * hour, 1 * hour],
        (there.rack_id, "staging"): [0, 12 * hour, 12 * hour],
    }
    assert report("staging").use == {(there.rack_id, "staging"): [0, 12 * hour, 12 * hour]}


def test_a_request_that_never_had_a_device_counts_for_the_environment_it_asked_for(image: Image) -> None:
    staging = make_device(environment="staging")
    served(image, staging, at(0, 1), 1, 1, 60)
    make_request(
        image, state="failed_device_not_found", environment="staging", created=at(0, 1), ended=at(0, 2)
    )
    make_request(image, state="failed_device_not_found", created=at(0, 1), ended=at(0, 2))
    assert report("staging").outcomes[0] == (1, 0, 1)
    assert report().outcomes[0] == (1, 0, 2)


def test_the_worst_devices_images_and_controllers_come_first(image: Image) -> None:
    other, board = make_image("linux"), make_controller()
    one, two = make_devices(2)
    bad = [(one, image)] * 3 + [(two, image), (two, other)]
    Install.objects.bulk_create(
        Install(
            device=device, image=what, config_digest="x", succeeded=succeeded, healthy_before=True, finished=when
        )
        for pairs, succeeded, when in (
            (bad, False, at(1, 1)), ([(one, other)] * 5, True, at(1, 2)), ([(two, other)] * 9, False, at(-1, 1)),
        )
        for device, what in pairs
    )  # fmt: skip
    Operation.objects.bulk_create(
        Operation(
            device=one, rack=one.rack, controller=board, kind=kind, status=status, result=result,
            created=NOW, not_before=NOW, finished=at(2, 1),
        )
        for kind, status, result in (
            (Kind.POWER_CYCLE, Status.FAILED, Answer.FAILED), (Kind.POWER_OFF, Status.FAILED, Answer.UNREACHABLE),
            (Kind.POWER_CYCLE, Status.FAILED, Answer.UNREACHABLE), (Kind.POWER_CYCLE, Status.DONE, Answer.OK),
            (Kind.PING, Status.FAILED, Answer.FAILED),
        )
    )  # fmt: skip
    found = report()
    assert found.devices == [(one.name, (3,), 8), (two.name, (2,), 2)]
    assert found.images == [("android", (4,), 4), ("linux", (1,), 6)]
    assert found.controllers == [(board.name, (1, 2), 3)]
    assert report("elsewhere").devices == []


def test_the_page_sums_the_period_up(image: Image) -> None:
    first, _ = make_devices(2)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for used in (60, 90):
        served(image, first, hour_ago, 120, 60, used)
    make_request(image, state="failed_device_not_found", created=hour_ago, ended=hour_ago)
    html = viewer().get("/statistics/").content.decode()
    tiles = re.findall(r'<dt>(.*?)</dt><dd class="tile-value">(.*?)</dd><dd class="muted">(.*?)</dd>', html)
    assert tiles[:3] == [
        ("Served", "2", "of 3 requests that ended"),
        ("Failed", "1", "33 %"),
        ("Half waited at most", "2 min", "on the worst day or hour"),
    ]
    assert tiles[3][2] == "of 2 devices"


def test_the_page_has_every_chart_as_a_picture_and_as_a_table(image: Image) -> None:
    device = make_device()
    Install.objects.create(
        device=device, image=image, config_digest="x", succeeded=False, healthy_before=True,
        finished=datetime.now(UTC),
    )  # fmt: skip
    html = viewer().get("/statistics/").content.decode()
    drawn = re.findall(r'<svg class="chart" [^>]*aria-labelledby="(\w+)-title', html)
    assert drawn == [
        "waiting", "preparing", "using", "outcomes", "environments", "racks", "devices", "images",
    ]  # fmt: skip
    assert html.count("<summary>As a table") == len(drawn)
    assert "Nothing in this time." in html
    assert f'<a href="/devices/{device.name}/">{device.name}</a>' in html
    assert "style=" not in html


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("days=99", "1, 7, 30 or 90 days, or from a day to another."),
        ("environment=%3Cscript%3E", "There are no devices of this environment."),
        ("since=2026-02-30", "Enter a valid date."),
        ("since=2026-01-01&until=%00", "Enter a valid date."),
        ("until=2026-01-01", "From which day on?"),
    ],
)
def test_a_query_string_that_makes_no_sense_is_told_so(query: str, told: str) -> None:
    response = viewer().get(f"/statistics/?{query}")
    assert response.status_code == 400
    assert told in response.content.decode()
    # What is wrong, and the form; nobody asked for other statistics.
    assert len(response.content) < 20_000
    assert "<script>" not in response.content.decode()


def test_the_page_costs_as_many_queries_for_a_large_pool_as_for_a_small_one(image: Image) -> None:
    client = viewer()

    def queries_asked(path: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code == 200
        return len(asked)

    served(image, make_device(), datetime.now(UTC) - timedelta(days=1), 1, 1, 60)
    queries_asked("/statistics/?days=1")
    few = queries_asked("/statistics/")
    for number in range(20):
        (device, *_) = make_devices(10, rack=make_rack(f"p{number}"), environment=f"env-{number % 9}")
        served(image, device, datetime.now(UTC) - timedelta(days=1), 1, 1, 60)
    reports.forget()
    assert queries_asked("/statistics/") == few <= 13
    # Who looks again within the minute is told what was read.
    assert queries_asked("/statistics/") <= 4
