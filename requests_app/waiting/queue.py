"""The queue as it stands: who waits for what, in turn. Read in few columns and queries, and remembered for a moment."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from requests_app.matching import competes
from requests_app.memory import Memory
from requests_app.planning.pool import Kind, Wish
from requests_app.waiting.wishes import installable, waiting, wishes

# Those of whom a Wish is made; rows of `Row` have them, too.
COLUMNS = (
    "pk", "turn", "image_id", "environment", "tags", "hardware_id", "requested_device_id",
    "requested_device__environment", "requested_device__hardware_type_id", "requested_device__tags",
)  # fmt: skip

Row = Mapping[str, object]
# A request's place in line: its turn, then its number.
Key = tuple[datetime, int]


@dataclass(frozen=True)
class Queue:
    """Who waits. `installable` are the types of hardware that each image has an active boot config for."""

    installable: Mapping[int, frozenset[int]]
    waiting: Mapping[Wish, list[Key]]

    def wish(self, row: Mapping[str, object]) -> Wish:
        """Give what the request of a row of COLUMNS wants."""
        hardware = self.installable.get(_number(row["image_id"]), frozenset())
        if row["hardware_id"] is not None:
            hardware &= {_number(row["hardware_id"])}
        kind = None
        if row["requested_device_id"] is not None:
            kind = Kind(
                str(row["requested_device__environment"]),
                _number(row["requested_device__hardware_type_id"]),
                _tags(row["requested_device__tags"]),
            )
        device_id = None if kind is None else _number(row["requested_device_id"])
        return Wish(hardware, str(row["environment"]), _tags(row["tags"]), device_id, kind)

    def place(self, wish: Wish, key: Key, kinds: Iterable[Kind]) -> int:
        """Give the place, from 1, among those who may get the same devices."""
        there = list(kinds)
        return 1 + sum(
            bisect_left(keys, key) for other, keys in self.waiting.items() if competes(wish, other, there)
        )


def _read(now: datetime) -> Queue:
    found = Queue(installable(), defaultdict(list))
    line: defaultdict[int, list[Key]] = defaultdict(list)
    # In the order of an index; most of a long queue want one of few things, and no more is read of them.
    in_line = ("wish", "turn", "pk")
    for number, turn, pk in waiting().filter(wish__gt=0).order_by(*in_line).values_list(*in_line):
        line[number].append((turn, pk))
    for number, wish in wishes({number: keys[0][1] for number, keys in line.items()}).items():
        found.waiting[wish] += line[number]
    for row in waiting().filter(wish__lt=0).order_by(*in_line).values(*COLUMNS):
        found.waiting[found.wish(row)].append((row["turn"], row["pk"]))
    return Queue(found.installable, {wish: sorted(keys) for wish, keys in found.waiting.items()})


def _number(value: object) -> int:
    return int(str(value))


def _tags(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()


# The queue, a second old or some.
queue: Memory[Queue] = Memory(_read, 1.0)
