"""Old lines of the journal are dropped, by partition where the database has them, and no younger one goes along."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from devices import retention
from devices.models import Journal
from mozpool_site import clock

mysql_only = pytest.mark.skipif("connection.vendor != 'mysql'", reason="only MySQL partitions the journal")


@pytest.fixture(autouse=True)
def _committed(transactional_db: None) -> Iterator[None]:
    """Run without a transaction around the test: MySQL's ALTER TABLE would commit it."""
    yield
    Journal.objects.all().delete()


def write(days_ago: float, now: datetime, count: int = 1) -> None:
    moment = now - timedelta(days=days_ago)
    Journal.objects.bulk_create(
        [Journal(time=moment, device_id=1, message=f"{days_ago}") for _ in range(count)]
    )


def prune(*words: str) -> str:
    out = StringIO()
    call_command("prune_journal", *words, stdout=out)
    return out.getvalue().strip()


def kept() -> list[str]:
    return list(Journal.objects.order_by("time").values_list("message", flat=True))


def test_lines_older_than_the_days_given_are_dropped_and_counted() -> None:
    now = clock.now()
    for days_ago in (40, 8, 7.01, 6.9, 0):
        write(days_ago, now)
    assert prune("--days", "7") == "dropped 3 lines older than 7 days"
    assert kept() == ["6.9", "0"]


def test_without_days_the_setting_decides() -> None:
    now = clock.now()
    write(14.1, now)
    write(13.9, now)
    assert prune() == "dropped 1 line older than 14 days"
    assert kept() == ["13.9"]


def test_pruning_again_drops_nothing() -> None:
    write(30, clock.now())
    prune()
    assert prune() == "dropped 0 lines older than 14 days"


def test_more_lines_than_one_slice_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_SLICE", 10)
    now = clock.now()
    write(20, now, count=35)
    write(1, now, count=3)
    assert prune() == "dropped 35 lines older than 14 days"
    assert len(kept()) == 3


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "soon", "99999999"])
def test_junk_for_days_is_refused_by_name(days: str) -> None:
    with pytest.raises(CommandError, match=r"whole days from 1 to 36500 expected, got '" + days):
        prune(f"--days={days}")


@mysql_only
def test_every_coming_day_gets_a_partition() -> None:
    now = clock.now()
    prune()
    days = [f"d{now + timedelta(days=n):%Y%m%d}" for n in range(7)]
    assert [name for name in days if name in retention.partitions()] == days
    write(0, now)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM devices_journal PARTITION ({days[0]})")  # noqa: S608 - our own name
        assert cursor.fetchone() == (1,)


@mysql_only
def test_a_day_past_its_time_is_dropped_as_a_partition() -> None:
    now = clock.now()
    prune()
    later = now + timedelta(days=17)
    write(-1, now, count=4)  # tomorrow's
    write(-6, now)  # six days ahead: fifteen days later it is eleven old
    tomorrow = f"d{now + timedelta(days=1):%Y%m%d}"
    assert tomorrow in retention.partitions()
    assert retention.prune(later, days=14) == 4
    assert tomorrow not in retention.partitions()
    assert kept() == ["-6"]
    assert f"d{later + timedelta(days=6):%Y%m%d}" in retention.partitions()
