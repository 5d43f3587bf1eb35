"""A selection of devices on its way from a list, through the page that asks, to the batch.

It is signed: what was seen is what is done, whatever the list would show by then.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from django.core import signing

from devices.models import Device
from lifeguard.bulk.services import MOST_DEVICES
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from pages.bulk.selection import Row, Selection

_SALT = "pages.repairs.selection"
# Whoever comes back from lunch should look again.
_FRESH_SECONDS = 3600
_SLICE = 500
_COLUMNS = ("pk", "name", "state", "held_by", "power_controller_id")


@dataclass(frozen=True)
class Chosen:
    """Devices as they are now, the states that they were first seen in, and a key that starts one batch only."""

    selection: Selection
    seen: tuple[str, ...]
    key: str

    def text(self) -> str:
        """Write it for a form. Ten thousand devices take a few kilobytes, for numbers are told by their differences."""
        numbers = sorted(row["pk"] for row in self.selection.rows)
        steps = [0, *numbers]
        return signing.dumps(
            [[after - before for before, after in pairwise(steps)], list(self.seen), self.key],
            salt=_SALT, compress=True,
        )  # fmt: skip


def of_numbers(numbers: Iterable[int]) -> Chosen:
    """Choose devices by number. Raises InvalidInputError for none or too many, ConflictError when some are gone."""
    selection = _looked_up(list(numbers))
    return Chosen(selection, tuple(selection.states), secrets.token_hex(16))


def of_names(names: Iterable[str]) -> Chosen:
    """Choose devices by name, such as that of the page where a button was pressed. Raises UnknownNameError."""
    wanted = list(dict.fromkeys(names))
    found = dict(Device.objects.filter(name__in=wanted[:_SLICE]).values_list("name", "pk"))
    for name in wanted:
        if name not in found:
            raise UnknownNameError(f"there is no device {name[:63]!r}", field="device")
    return of_numbers(found.values())


def read(text: str) -> Chosen:
    """Read what `Chosen.text` wrote. Raises InvalidInputError for anything else, and for what is over an hour old."""
    try:
        steps, seen, key = signing.loads(text, salt=_SALT, max_age=_FRESH_SECONDS)
    except signing.SignatureExpired as error:
        raise InvalidInputError("the selection is over an hour old: select again", field="device") from error
    except signing.BadSignature as error:
        raise InvalidInputError("the selection is not one of ours: select again", field="device") from error
    return Chosen(_looked_up(list(accumulate(steps))), tuple(seen), key)


def _looked_up(numbers: list[int]) -> Selection:
    if not numbers:
        raise InvalidInputError("no device is selected", field="device")
    if len(numbers) > MOST_DEVICES:
        raise InvalidInputError(
            f"at most {MOST_DEVICES} devices at once: filter the list first", field="device"
        )
    rows: list[Row] = []
    for first in range(0, len(numbers), _SLICE):
        rows += Device.objects.filter(pk__in=numbers[first : first + _SLICE]).order_by().values(*_COLUMNS)
    if gone := len(numbers) - len(rows):
        raise ConflictError(f"{gone} of the selected devices are gone: select again", field="device")
    return Selection(tuple(sorted(rows, key=lambda row: str(row["name"]))))
