"""Where a page of a device's story begins or ends: a place between two entries, as an address can carry it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from devices.models import Journal
from mozpool_site.api.values import LARGEST_ID
from mozpool_site.errors import InvalidInputError

# The journal has no index for what lines say or where they come from: so many are looked through at once.
SEARCHED = 20_000
_TIME = r"[0-9T:.-]{10,26}Z"
_MARK = re.compile(rf"(?P<time>{_TIME})~(?P<rank>[0-9])~(?P<number>[0-9]{{1,19}})~(?P<left>(?:{_TIME})?)")


@dataclass(frozen=True)
class Mark:
    """The key of an entry: time, its source's rank, the row's number.

    `left` is when the state that was entered last before it was left; None where that is not known, or it lasts.
    """

    time: datetime
    rank: int
    number: int
    left: datetime | None = None

    @property
    def key(self) -> tuple[datetime, int, int]:
        """What entries are ordered by."""
        return self.time, self.rank, self.number

    def __str__(self) -> str:
        left = "" if self.left is None else _written(self.left)
        return f"{_written(self.time)}~{self.rank}~{self.number}~{left}"

    def before(self, column: str = "time") -> Q:
        """Select the rows of this rank that come before it in time: a range of the index first, then its equals."""
        return Q(**{f"{column}__lte": self.time}) & (
            Q(**{f"{column}__lt": self.time}) | Q(pk__lt=self.number)
        )

    def after(self, column: str = "time") -> Q:
        """Select the rows of this rank that come after it."""
        return Q(**{f"{column}__gte": self.time}) & (
            Q(**{f"{column}__gt": self.time}) | Q(pk__gt=self.number)
        )


def search_bound(lines: QuerySet[Journal]) -> Mark | None:
    """Give the last of the newest 20,000 lines, which a search looks through; None where there are no others."""
    last = list(lines.order_by("-time", "-pk").values_list("time", "pk")[SEARCHED - 1 : SEARCHED + 1])
    return Mark(last[0][0], 0, last[0][1]) if len(last) > 1 else None


def read_mark(text: str | None, name: str) -> Mark | None:
    """Read a mark out of an address; None where there is none. Raises InvalidInputError naming it."""
    if not text:
        return None
    found = _MARK.fullmatch(text)
    wrong = InvalidInputError(f"{name}: take the page's own links as they are", field=name)
    if found is None:
        raise wrong
    try:
        left = _moment(found["left"]) if found["left"] else None
        mark = Mark(_moment(found["time"]), int(found["rank"]), int(found["number"]), left)
    except (ValueError, OverflowError) as error:
        raise wrong from error
    if mark.number > LARGEST_ID:
        raise wrong
    return mark


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
