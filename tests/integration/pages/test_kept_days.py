"""Days and hours that are over are added up once, and statistics say the same of them as if every request were read."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from lifeguard.models import Install
from mozpool_site import clock
from pages.statistics.kept import kept
from pages.statistics.periods import Period, last_days
from pages.statistics.report import Key, read
from requests_app import daily
from requests_app.models import DailyFigures, HourlyFigures, Request
from tests.beats import pool_beats
from tests.factories import change, make_devices, make_image, make_rack, make_request

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WEEK = last_days(7, NOW)
MIDDLE = Period(datetime(2026, 11, 17, tzinfo=UTC), 2, 86_400)
HOURS = last_days(1, NOW)


@pytest.fixture
def busy() -> None:
    """Give ten days of requests, short and long, some still open, and of installations; seeded, so always the same."""
    chance = random.Random(4711)
    devices = [
        *make_devices(3, environment="production"),
        *make_devices(3, environment="staging", rack=make_rack("p2")),
    ]
    images = [make_image("android"), make_image("linux")]
    for _ in range(90):
        filed = NOW - timedelta(hours=240 * chance.random())
        matched = filed + timedelta(seconds=chance.randrange(900))
        ended = matched + timedelta(hours=chance.choice([0.2, 1, 9, 30, 80]))
        state = chance.choice(["closed", "closed", "failed_bad_device"])
        had, device = chance.random() < 0.8, chance.choice(devices)
        make_request(
            images[0], environment=chance.choice(["any", "staging"]), created=filed,
            state="ready" if ended > NOW else state, ended=None if ended > NOW else ended,
            matched_at=matched if had else None, last_device=device if had else None,
            ready_at=matched if chance.random() < 0.7 else None,
        )  # fmt: skip
        Install.objects.create(
            device=device, image=chance.choice(images), config_digest="x", finished=filed,
            succeeded=chance.random() < 0.5, healthy_before=True,
        )  # fmt: skip


def told(period: Period, environment: str) -> Any:
    """Give all that statistics tell of a period."""
    found = read(Key(period, environment), NOW)
    return found.outcomes, found.use, found.devices, found.images, found.times


def add_up_all(add_up: Callable[[datetime], Any] = daily.add_up_next, now: datetime = NOW) -> list[Any]:
    """Add up every day or hour that is left."""
    added = []
    while one := add_up(now):
        added.append(one)
    return added


@pytest.mark.usefixtures("busy")
def test_added_up_days_tell_the_same_as_all_of_their_requests() -> None:
    asked = [(period, where) for period in (WEEK, MIDDLE, HOURS) for where in ("", "staging", "elsewhere")]
    before = [told(*one) for one in asked]
    outcomes, use, devices, images, _ = before[0]
    assert sum(map(sum, outcomes)) > 40
    assert (len(use), len(devices), len(images)) == (2, 6, 2)
    assert add_up_all()[-2:] == [date(2026, 11, 20), date(2026, 11, 21)]
    assert [told(*one) for one in asked] == before
    # The days from a gap on are read as they were before.
    DailyFigures.objects.filter(day=date(2026, 11, 18)).delete()
    assert [told(*one) for one in asked] == before


@pytest.mark.usefixtures("busy")
def test_added_up_hours_tell_the_same_as_all_of_their_requests() -> None:
    asked = [(period, where) for period in (WEEK, MIDDLE, HOURS) for where in ("", "staging", "elsewhere")]
    before = [told(*one) for one in asked]
    assert sum(map(sum, told(HOURS, "")[0])) > 5
    hours = add_up_all(daily.add_up_next_hour)
    assert (len(hours), hours[-1]) == (30, NOW - timedelta(hours=2))
    assert [told(*one) for one in asked] == before
    add_up_all()
    assert [told(*one) for one in asked] == before
    # The hours from a gap on are read as they were before.
    HourlyFigures.objects.filter(hour=NOW - timedelta(hours=5)).delete()
    assert [told(*one) for one in asked] == before


@pytest.mark.usefixtures("busy")
def test_of_a_day_that_is_not_over_only_the_last_hour_is_read() -> None:
    add_up_all(daily.add_up_next_hour)
    add_up_all()
    for period in (HOURS, WEEK):
        assert kept(period, "").until == NOW - timedelta(hours=1)


def test_an_hour_is_added_up_when_it_has_been_over_for_five_minutes_and_forgotten_with_its_day() -> None:
    assert add_up_all(daily.add_up_next_hour, NOW + timedelta(minutes=4))[-1] == NOW - timedelta(hours=2)
    later = NOW + timedelta(minutes=6)
    assert add_up_all(daily.add_up_next_hour, later) == [NOW - timedelta(hours=1)]
    assert HourlyFigures.objects.count() == 30
    # The whole day before is there until it is added up itself, an hour after its end.
    at_one = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    add_up_all(daily.add_up_next_hour, at_one)
    first = datetime(2026, 11, 22, tzinfo=UTC)
    assert HourlyFigures.objects.filter(hour__gte=first).count() == 24


@pytest.mark.usefixtures("busy")
def test_a_day_that_has_been_added_up_stays_as_it_was_then() -> None:
    add_up_all()
    with CaptureQueriesContext(connection) as asked:
        outcomes, use, *_ = told(WEEK, "production")
    assert len(asked) == 10
    change(*Device.objects.all(), environment="moved")
    Request.objects.filter(ended__lt=datetime(2026, 11, 22, tzinfo=UTC)).update(last_device=None)
    moved = told(WEEK, "production")
    assert moved[0][:6] == outcomes[:6]
    assert [seconds[:3] for seconds in moved[1].values()] == [seconds[:3] for seconds in use.values()]


@pytest.mark.django_db(transaction=True)  # pruning alters tables, which ends transactions on MySQL
def test_the_pulse_adds_up_each_day_once_it_has_been_over_for_an_hour() -> None:
    now = clock.now()
    over = (now - timedelta(hours=1)).date() - timedelta(days=1)
    pulse = pool_beats()
    pulse.beat(now)
    assert list(DailyFigures.objects.values_list("day", flat=True)) == [over - timedelta(days=91)]
    pulse.beat(now + timedelta(seconds=2))
    pulse.beat(now + timedelta(seconds=21))
    assert DailyFigures.objects.count() == 2
    midnight = datetime(2027, 1, 1, tzinfo=UTC)
    DailyFigures.objects.all().delete()
    DailyFigures.objects.bulk_create(
        DailyFigures(day=date(2026, 12, 30) - timedelta(days=back), figures={}) for back in range(92)
    )
    assert daily.add_up_next(midnight + timedelta(minutes=59)) is None
    assert daily.add_up_next(midnight + timedelta(minutes=61)) == date(2026, 12, 31)
