"""Searches for free devices by kind, along an index: the kinds that suit are few, and so are the devices looked at."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from django.db.models import QuerySet, Subquery

from devices.models import Device, DeviceKind, Image
from lifeguard.machine import device_runner
from mozpool_site.compiled import CompiledQuery, Parameter
from requests_app.free_devices import Outages, in_reach, outages, serving
from requests_app.matching import Demand, suits
from requests_app.planning.pool import Kind

# Of so many kinds, so many devices that have the image are asked whether it is the same build, the longest idle first.
_KINDS_LOOKED_AT = 4
_LOOKED_AT = 16
# So many may file at the same moment, each with the lock of a device, and one more still finds one.
_RIVALS = 64
_KINDS_OF_A_STATEMENT = 16


@dataclass(frozen=True)
class FreeKind:
    """A kind of which a device is free: its number and what it is, and the number of its longest idle device."""

    pk: int
    kind: Kind
    longest_idle: int


def free_kinds(now: datetime) -> dict[int, Kind]:
    """Return the kinds of which a device is free."""
    kinds = DeviceKind.objects.order_by().values_list("pk", "environment", "hardware_type_id", "tags")
    known = {pk: Kind(environment, hardware, frozenset(tags)) for pk, environment, hardware, tags in kinds}
    return {free.pk: free.kind for free in _with_free_device(known, now)}


def kinds_for(demand: Demand, image: Image, now: datetime) -> list[FreeKind]:
    """Return the kinds that suit and of which a device is free, that of the longest idle device first."""
    known = {one.pk: Kind(one.environment, one.hardware_type_id, frozenset(one.tags)) for one in image.kinds}
    return _with_free_device({pk: kind for pk, kind in known.items() if suits(demand, kind)}, now)


def _with_free_device(kinds: Mapping[int, Kind], now: datetime) -> list[FreeKind]:
    numbers = list(kinds)
    found = sorted(
        first
        for begin in range(0, len(numbers), _KINDS_OF_A_STATEMENT)
        for first in _searches(now).longest_idle(numbers[begin : begin + _KINDS_OF_A_STATEMENT])
    )
    return [FreeKind(kind, kinds[kind], device) for _, kind, device in found]


def kind_of(device_id: int, now: datetime) -> dict[int, Kind]:
    """Return the kind of a device; none where that is not free."""
    return {
        pk: Kind(environment, hardware, frozenset(tags))
        for pk, environment, hardware, tags in _searches(now).kind_of(device=device_id)
    }


def lock_named(demand: Demand, device_id: int) -> Device | None:
    """Lock the device that a request names, if it is idle, in or out of reach, fits, and nobody else has locked it."""
    locked = device_runner.locked(_named(device=device_id))
    if locked is None:
        return None
    device = locked[0]
    return (
        device
        if suits(demand, Kind(device.environment, device.hardware_type_id, frozenset(device.tags)))
        else None
    )


def lock_one_of_kind(free: FreeKind, now: datetime) -> Device | None:
    """Lock a kind's longest idle device or, where a rival has locked that, one that is idle for about as long."""
    first = lock_best([free.longest_idle], now)
    if first is not None:
        return first
    others = [pk for pk, _ in _searches(now).of_kind(kind=free.pk) if pk != free.longest_idle]
    return _lock_any(others, now)


def lock_best(devices: list[int], now: datetime) -> Device | None:
    """Lock the first of these devices or, where a rival has locked that, any of the others; only a free one."""
    locked = device_runner.locked(_searches(now).one(device=devices[0]))
    return locked[0] if locked else _lock_any(devices[1:], now)


def _lock_any(devices: list[int], now: datetime) -> Device | None:
    # By their numbers: a search along another index may sort first, and then lock all that it sorts.
    if not devices:
        return None
    padded = (devices * _RIVALS)[:_RIVALS]
    locked = device_runner.locked(
        _searches(now).any_of(**{f"device{number}": pk for number, pk in enumerate(padded)})
    )
    return locked[0] if locked else None


def having_image(demand: Demand, kinds: Iterable[FreeKind], now: datetime) -> list[int]:
    """Return free devices of one of the kinds on which what is asked for is already; a few of each are looked at."""
    for kind in islice(kinds, _KINDS_LOOKED_AT):
        first = _searches(now).having(image=demand.image_id, kind=kind.pk)
        if having := [pk for pk, boot_config in first if boot_config == demand.boot_config]:
            return having
    return []


class _Searches:
    """What the database is asked for free devices, while certain racks and power controllers are out of reach."""

    def __init__(self, known: Outages) -> None:
        def free() -> QuerySet[Device]:
            return in_reach(serving(), known)

        key = Device._meta.pk
        self._free = free
        one, kind, image = (Parameter(name, key) for name in ("device", "kind", "image"))
        some: list[Any] = [Parameter(f"device{number}", key) for number in range(_RIVALS)]
        self.one = CompiledQuery(lambda: device_runner.lockable(free().filter(pk=one).order_by()))
        self.any_of = CompiledQuery(
            lambda: device_runner.lockable(free().filter(pk__in=some).order_by()), along=(Device, "PRIMARY")
        )
        self.of_kind = CompiledQuery(
            lambda: _idle_for_longest(free().filter(kind=kind), _RIVALS), along=(Device, "device_idle_kind")
        )
        self.kind_of = CompiledQuery(
            lambda: (
                free()
                .filter(pk=Parameter("device", key))
                .order_by()
                .values_list("kind", "kind__environment", "kind__hardware_type_id", "kind__tags")
            )
        )
        self.having = CompiledQuery(
            lambda: _idle_for_longest(free().filter(image=image, kind=kind), _LOOKED_AT),
            along=(Device, "device_idle_kind_image"),
        )
        self._first: dict[int, CompiledQuery[tuple[Any, ...]]] = {}

    def longest_idle(self, kinds: Sequence[int]) -> Iterator[tuple[datetime, int, int]]:
        """Read since when the longest idle device of each of some kinds is, the kind, and the device."""
        if len(kinds) not in self._first:
            self._first[len(kinds)] = CompiledQuery(
                partial(self._dives, len(kinds)), along=(Device, "device_idle_kind")
            )
        rows = self._first[len(kinds)](**{f"kind{number}": pk for number, pk in enumerate(kinds)})
        for row in rows:
            for kind, since, device in zip(kinds, row[1::2], row[2::2], strict=True):
                if since is not None:
                    yield since, kind, device

    def _dives(self, number: int) -> QuerySet[DeviceKind, tuple[Any, ...]]:
        """Select one row with two dives into an index for each kind; a join would read its busy devices, too."""
        columns: dict[str, Subquery] = {}
        for kind in (Parameter(f"kind{number}", DeviceKind._meta.pk) for number in range(number)):
            longest = self._free().filter(kind=kind).order_by("idle_since", "pk")
            columns[f"since_{kind.name}"] = Subquery(longest.values("idle_since")[:1])
            columns[f"device_{kind.name}"] = Subquery(longest.values("pk")[:1])
        one = DeviceKind.objects.order_by().filter(pk=Parameter("kind0", DeviceKind._meta.pk))
        return one.annotate(**columns).values_list("pk", *columns)


_named = CompiledQuery(
    lambda: device_runner.lockable(serving().filter(pk=Parameter("device", Device._meta.pk)).order_by())
)


@lru_cache(maxsize=64)
def _searches_while(known: Outages) -> _Searches:
    return _Searches(known)


def _searches(now: datetime) -> _Searches:
    return _searches_while(outages.get(now))


def _idle_for_longest(devices: QuerySet[Device], number: int) -> QuerySet[Device, tuple[int, str]]:
    return devices.order_by("idle_since", "pk").values_list("pk", "boot_config")[:number]
