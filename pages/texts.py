"""Words for people: how long ago, and what somebody typed, harmless to look at."""

from datetime import UTC, datetime

from django.utils import timezone

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Say in one unit how long ago a moment was: `12 s ago`, `3 min ago`, `in 2 h`; live.js says it alike."""
    seconds = ((now or timezone.now()) - moment).total_seconds()
    passed = abs(seconds)
    amount = next(
        (f"{int(passed // size)} {unit}" for size, unit in _UNITS if passed >= size), f"{int(passed)} s"
    )
    return f"{amount} ago" if seconds >= 0 else f"in {amount}"


def clock_time(moment: datetime) -> str:
    """Write a moment in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def visible(text: str) -> str:
    """Give text with its control characters escaped, new lines and tabs as they are."""
    return "".join(
        char if char.isprintable() or char in "\n\t\xa0" else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
