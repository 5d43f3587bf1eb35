"""`manage.py prune_journal`: drops old lines of the journal and the audit trail now, as the pulse does every hour."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from devices.retention import prune
from mozpool_site import clock
from mozpool_site.access import retention as access

_MOST_DAYS = 36_500


class Command(BaseCommand):
    """Drops lines of the journal that are older than the pool keeps them, and prints how many."""

    help = (
        "Drop lines of the journal that are older than so many days. On MySQL and MariaDB whole days are dropped as "
        "partitions, and those of the coming week are made. The audit trail is pruned, too, "
        "as MOZPOOL_AUDIT_DAYS says. The pulse does the same every hour; doing it twice is fine."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the age."""
        parser.add_argument(
            "--days",
            type=_days,
            default=settings.MOZPOOL_JOURNAL_DAYS,
            metavar="N",
            help="keep the lines of the last N days (default: MOZPOOL_JOURNAL_DAYS, now %(default)s)",
        )

    def handle(self, *, days: int, **_: Any) -> None:
        """Prune and tell."""
        now = clock.now()
        dropped = prune(now, days=days)
        lines = "1 line" if dropped == 1 else f"{dropped} lines"
        self.stdout.write(f"dropped {lines} older than {days} days")
        if entries := access.prune(now):
            number = "1 entry" if entries == 1 else f"{entries} entries"
            self.stdout.write(
                f"dropped {number} of the audit trail older than {settings.MOZPOOL_AUDIT_DAYS} days"
            )


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_DAYS):
        raise ArgumentTypeError(f"whole days from 1 to {_MOST_DAYS} expected, got {text!r}")
    return int(text)
