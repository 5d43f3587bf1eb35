"""`manage.py prune_journal`: drops old lines of the journal now, as the pulse does every hour."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from devices.retention import prune
from mozpool_site import clock

_MOST_DAYS = 36_500


class Command(BaseCommand):
    """Drops lines of the journal that are older than the pool keeps them, and prints how many."""

    help = (
        "Drop lines of the journal that are older than so many days. On MySQL and MariaDB whole days are dropped as "
        "partitions, and those of the coming week are made. The pulse does the same every hour; doing it twice is fine."
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
        dropped = prune(clock.now(), days=days)
        lines = "1 line" if dropped == 1 else f"{dropped} lines"
        self.stdout.write(f"dropped {lines} older than {days} days")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_DAYS):
        raise ArgumentTypeError(f"whole days from 1 to {_MOST_DAYS} expected, got {text!r}")
    return int(text)
