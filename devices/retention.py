"""Drops journal lines that are older than the pool keeps them.

On MySQL the journal is partitioned by day, so dropping a day costs no more than dropping a file; elsewhere
lines are deleted in slices, so that no writer waits long.
"""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import connection

from devices.models import Journal

_SLICE = 5_000
_DAYS_AHEAD = 7
_TABLE = "devices_journal"


def prune(now: datetime, *, days: int | None = None) -> int:
    """Drop what is older than `days` (the setting MOZPOOL_JOURNAL_DAYS by default); give how many lines."""
    keep_from = now - timedelta(days=settings.MOZPOOL_JOURNAL_DAYS if days is None else days)
    dropped = 0
    if connection.vendor == "mysql":
        dropped = _drop_partitions(keep_from.date())
        make_partitions(now.date())
    return dropped + _delete_slices(keep_from)


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
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE {_TABLE} REORGANIZE PARTITION later INTO ({parts}, "
            "PARTITION later VALUES LESS THAN (MAXVALUE))"
        )


def partitions() -> list[str]:
    """Name the partitions of single days, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE() "
            "AND table_name = %s AND partition_name LIKE 'd%%' ORDER BY partition_name",
            [_TABLE],
        )
        return [str(row[0]) for row in cursor.fetchall()]


def _drop_partitions(keep_from: date) -> int:
    old = [name for name in partitions() if name < _name(keep_from)]
    if not old:
        return 0
    with connection.cursor() as cursor:
        # Names of partitions can't be parameters; these come from the database itself.
        cursor.execute(f"SELECT COUNT(*) FROM {_TABLE} PARTITION ({', '.join(old)})")  # noqa: S608
        row = cursor.fetchone()
        cursor.execute(f"ALTER TABLE {_TABLE} DROP PARTITION {', '.join(old)}")
    return int(row[0]) if row else 0


def _delete_slices(keep_from: datetime) -> int:
    deleted = 0
    while True:
        slice_ = list(
            Journal.objects.filter(time__lt=keep_from).order_by("time").values_list("pk", flat=True)[:_SLICE]
        )
        if not slice_:
            return deleted
        Journal.objects.filter(pk__in=slice_, time__lt=keep_from).delete()
        deleted += len(slice_)


def _name(day: date) -> str:
    return f"d{day:%Y%m%d}"
