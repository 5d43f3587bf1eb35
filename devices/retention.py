"""Drops journal lines that are older than the pool keeps them.

On MySQL the journal is partitioned by day, so dropping a day costs no more than dropping a file; elsewhere
lines are deleted in slices, so that no writer waits long.
"""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import connection

from devices.models import Journal
from mozpool_site.slices import delete_some

_SLICE = 5_000
_DAYS_AHEAD = 7
_TABLE = "devices_journal"
_LOCK_SECONDS = 3


def prune(now: datetime, *, days: int) -> int:
    """Drop all that is older than `days`; return how many lines."""
    keep_from = now - timedelta(days=days)
    dropped = _count(_old_partitions(keep_from.date())) if connection.vendor == "mysql" else 0
    while some := prune_some(now, days=days):
        dropped += some
    return dropped


def prune_some(now: datetime, *, days: int | None = None) -> int:
    """Drop days that are over as a whole, and some lines; return how many of these. Default: MOZPOOL_JOURNAL_DAYS."""
    keep_from = now - timedelta(days=settings.MOZPOOL_JOURNAL_DAYS if days is None else days)
    if connection.vendor == "mysql":
        _drop_partitions(_old_partitions(keep_from.date()))
        make_partitions(now.date())
    return delete_some(Journal.objects.filter(time__lt=keep_from).order_by("time"), _SLICE)


def make_partitions(today: date) -> None:
    """Make sure that today and the coming days have partitions of their own; MySQL only."""
    have = set(partitions())
    missing = [
        day for day in (today + timedelta(days=n) for n in range(_DAYS_AHEAD)) if _name(day) not in have
    ]
    # A partition can only be split off at the upper end; days before the newest one stay where they are.
    newest = max(have, default="")
    wanted = [day for day in missing if _name(day) > newest]
    if not wanted:
        return
    parts = ", ".join(
        f"PARTITION {_name(day)} VALUES LESS THAN ('{day + timedelta(days=1)}')" for day in wanted
    )
    _alter(f"REORGANIZE PARTITION later INTO ({parts}, PARTITION later VALUES LESS THAN (MAXVALUE))")


def partitions() -> list[str]:
    """Name the partitions of single days, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE() "
            "AND table_name = %s AND partition_name LIKE 'd%%' ORDER BY partition_name",
            [_TABLE],
        )
        return [str(row[0]) for row in cursor.fetchall()]


def _old_partitions(keep_from: date) -> list[str]:
    return [name for name in partitions() if name < _name(keep_from)]


def _count(names: list[str]) -> int:
    """Count the lines of partitions; it reads all of them."""
    if not names:
        return 0
    with connection.cursor() as cursor:
        # Names of partitions can't be parameters; these come from the database itself.
        cursor.execute(f"SELECT COUNT(*) FROM {_TABLE} PARTITION ({', '.join(names)})")  # noqa: S608
        return int(cursor.fetchone()[0])


def _drop_partitions(names: list[str]) -> None:
    if names:
        _alter(f"DROP PARTITION {', '.join(names)}")


def _alter(how: str) -> None:
    """Change the table, or give up soon: while it waits for an open transaction, all others wait behind it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}")
        try:
            cursor.execute(f"ALTER TABLE {_TABLE} {how}")
        finally:
            cursor.execute("SET SESSION lock_wait_timeout = DEFAULT")


def _name(day: date) -> str:
    return f"d{day:%Y%m%d}"
