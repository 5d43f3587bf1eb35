"""Where a page of a device's story begins or ends: a place between two entries, as an address can carry it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from mozpool_site.api.values import LARGEST_ID
from mozpool_site.errors import InvalidInputError

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

    def __str__(self) -> str:
        left = "" if self.left is None else _written(self.left)
        return f"{_written(self.time)}~{self.rank}~{self.number}~{left}"


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
