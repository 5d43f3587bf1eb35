"""The time, as the database tells it: the one clock that all servers share."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

# In a condition or an UPDATE: the moment at which the statement began.
DB_NOW = Now()


class _AfterLock(Now):
    """The moment at which a row is read: MySQL's NOW() is that at which its statement began, before any wait."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[str | int, ...]]:
        """Write it for MySQL and MariaDB."""
        return "SYSDATE(6)", ()


# Annotate a locking query with this to learn the time in the same round trip as the row: never before the lock is held,
# so what is written under the lock is in the order in which it happened.
LOCKED_AT = _AfterLock()


def aware(moment: datetime | str) -> datetime:
    """Give a database's idea of a moment as an aware UTC datetime (SQLite tells text)."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def now() -> datetime:
    """Give the database's present time. SQLite lives on this machine, so its clock is ours."""
    if connection.vendor == "sqlite":
        # Its own idea of now has whole milliseconds: with finer ones here a deadline could pass twice.
        moment = timezone.now()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP(6)")
        row = cursor.fetchone()
    return aware(row[0])
