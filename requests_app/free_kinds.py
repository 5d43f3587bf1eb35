"""Searches for free devices by kind, along an index: the kinds that suit are few, and so are the devices looked at."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache, reduce
from itertools import islice
from operator import or_

from django.db.models import OuterRef, Q, QuerySet, Subquery

from devices.models import Device, DeviceKind, HardwareType
from lifeguard.machine import device_runner
from mozpool_site.compiled import CompiledQuery, Parameter
from requests_app.free_devices import Outages, free_devices, in_reach, outages, serving
from requests_app.matching import Demand, Offer, fits, suits
from requests_app.planning.pool import ANY, Kind

# Of so many kinds, so many devices that have the image are asked whether it is the same build, the longest idle first.
_KINDS_LOOKED_AT = 4
_LOOKED_AT = 16
# Its number, environment, type of hardware and tags, and since when one of its free devices is idle.
_KindRow = tuple[int, str, int, list[str], datetime | None]
_OFFER = (
    "pk", "idle_since", "kind__environment", "kind__hardware_type_id", "image_id", "boot_config", "kind__tags",
)  # fmt: skip


def free_kinds(now: datetime) -> dict[int, Kind]:
    """Return the kinds of which a device is free."""
    return {
        pk: Kind(environment, hardware, frozenset(tags))
        for pk, environment, hardware, tags, since in _idle_longest(
            DeviceKind.objects.all(), free_devices(now)
        )
        if since is not None
    }


def kinds_for(demand: Demand, now: datetime) -> dict[int, Kind]:
    """Return the kinds that suit and of which a device is free, that of the longest idle device first."""
    found = [
        (since, pk, Kind(environment, hardware, frozenset(tags)))
        for pk, environment, hardware, tags, since in _searches(now).kinds(demand)
        if since is not None
    ]
    found.sort(key=lambda one: one[:2])
    return {pk: kind for _, pk, kind in found if suits(demand, kind)}


def kind_of(device_id: int, now: datetime) -> dict[int, Kind]:
    """Return the kind of a device; none where that is not free."""
    return {
        pk: Kind(environment, hardware, frozenset(tags))
        for pk, environment, hardware, tags in _searches(now).kind_of(device=device_id)
    }


def lock_first(kind: int, now: datetime) -> tuple[Device, datetime] | None:
    """Lock the longest idle of a kind's free devices that nobody else has locked; tell the time in the same trip."""
    return device_runner.locked(_searches(now).first_of_kind(kind=kind))


def lock_free(device_id: int, now: datetime) -> tuple[Device, datetime] | None:
    """Lock a device if it is free and nobody else has locked it; tell the time in the same trip."""
    return device_runner.locked(_searches(now).one(device=device_id))


def having_image(demand: Demand, kinds: Iterable[int], now: datetime) -> list[int]:
    """Return free devices of one of the kinds on which what is asked for is already; a few of each are looked at."""
    for kind in islice(kinds, _KINDS_LOOKED_AT):
        first = _searches(now).having(image=demand.image_id, kind=kind)
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
        self.one = CompiledQuery(lambda: device_runner.lockable(free().filter(pk=Parameter("device", key))))
        self.first_of_kind = CompiledQuery(
            lambda: device_runner.lockable(free().filter(kind=Parameter("kind", key)).order_by("idle_since"))
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
            lambda: (
                free()
                .filter(image=Parameter("image", key), kind=Parameter("kind", key))
                .order_by("idle_since")
                .values_list("pk", "boot_config")[:_LOOKED_AT]
            )
        )
        self._kinds: dict[tuple[int, bool], CompiledQuery[_KindRow]] = {}

    def kinds(self, demand: Demand) -> Iterable[_KindRow]:
        """Read the kinds on whose hardware the image can be put, in the environment that is asked for."""
        if not demand.hardware:
            return ()
        shape = (len(demand.hardware), demand.environment != ANY)
        if shape not in self._kinds:
            self._kinds[shape] = CompiledQuery(lambda: self._kinds_of(*shape))
        hardware = {f"hardware{number}": pk for number, pk in enumerate(demand.hardware)}
        return self._kinds[shape](environment=demand.environment, **hardware)

    def _kinds_of(self, hardware: int, one_environment: bool) -> QuerySet[DeviceKind, _KindRow]:
        key = HardwareType._meta.pk
        types = (Q(hardware_type=Parameter(f"hardware{number}", key)) for number in range(hardware))
        kinds = DeviceKind.objects.filter(reduce(or_, types))
        if one_environment:
            name = Parameter("environment", DeviceKind._meta.get_field("environment"))
            kinds = kinds.filter(environment=name)
        return _idle_longest(kinds, self._free())


@lru_cache(maxsize=64)
def _searches_while(known: Outages) -> _Searches:
    return _Searches(known)


def _searches(now: datetime) -> _Searches:
    return _searches_while(outages.get(now))


def _idle_longest(kinds: QuerySet[DeviceKind], free: QuerySet[Device]) -> QuerySet[DeviceKind, _KindRow]:
    """Read kinds, with the moment since which a device of each is free: one dive into an index for each."""
    free = free.filter(kind=OuterRef("pk")).order_by("idle_since")
    kinds = kinds.annotate(since=Subquery(free.values("idle_since")[:1]))
    return kinds.values_list("pk", "environment", "hardware_type_id", "tags", "since")


def named_device(demand: Demand, device_id: int, now: datetime) -> QuerySet[Device] | None:
    """Select the device that a request names, while that is idle; None where it does not fit."""
    named = free_devices(now, by_name=True).filter(pk=device_id)
    return named if any(fits(demand, offer) for offer in _offers(named)) else None


def _offers(devices: QuerySet[Device]) -> list[Offer]:
    return [
        Offer(pk, idle_since, environment, hardware, image, boot_config, frozenset(tags))
        for pk, idle_since, environment, hardware, image, boot_config, tags in devices.values_list(*_OFFER)
        if idle_since is not None
    ]
