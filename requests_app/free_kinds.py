"""Searches for free devices by kind, along an index: the kinds that suit are few, and so are the devices looked at."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from devices.models import Device, DeviceKind
from requests_app.free_devices import free_devices
from requests_app.matching import Demand, Offer, fits, suits
from requests_app.planning.pool import ANY, Kind

# Of so many kinds, so many devices that have the image are asked whether it is the same build, the longest idle first.
_KINDS_LOOKED_AT = 4
_LOOKED_AT = 16
_OFFER = (
    "pk", "idle_since", "kind__environment", "kind__hardware_type_id", "image_id", "boot_config", "kind__tags",
)  # fmt: skip


def free_kinds(now: datetime) -> dict[int, Kind]:
    """Return the kinds of which a device is free."""
    return {
        pk: Kind(environment, hardware, frozenset(tags))
        for pk, environment, hardware, tags, since in _idle_longest(DeviceKind.objects.all(), now)
        if since is not None
    }


def kinds_for(demand: Demand, now: datetime) -> dict[int, Kind]:
    """Return the kinds that suit and of which a device is free, that of the longest idle device first."""
    kinds = DeviceKind.objects.filter(hardware_type__in=demand.hardware)
    if demand.environment != ANY:
        kinds = kinds.filter(environment=demand.environment)
    found = [
        (since, pk, Kind(environment, hardware, frozenset(tags)))
        for pk, environment, hardware, tags, since in _idle_longest(kinds, now)
        if since is not None
    ]
    found.sort(key=lambda one: one[:2])
    return {pk: kind for _, pk, kind in found if suits(demand, kind)}


def kind_of(device: QuerySet[Device]) -> dict[int, Kind]:
    """Return the kind of a selected device; none where none is selected."""
    columns = device.values_list("kind", "kind__environment", "kind__hardware_type_id", "kind__tags")
    return {pk: Kind(environment, hardware, frozenset(tags)) for pk, environment, hardware, tags in columns}


def _idle_longest(kinds: QuerySet[DeviceKind], now: datetime) -> QuerySet[DeviceKind, tuple[Any, ...]]:
    """Read kinds, with the moment since which a device of each is free: one dive into an index for each."""
    free = free_devices(now).filter(kind=OuterRef("pk")).order_by("idle_since")
    kinds = kinds.annotate(since=Subquery(free.values("idle_since")[:1]))
    return kinds.values_list("pk", "environment", "hardware_type_id", "tags", "since")


def named_device(demand: Demand, device_id: int, now: datetime) -> QuerySet[Device] | None:
    """Select the device that a request names, while that is idle; None where it does not fit."""
    named = free_devices(now, by_name=True).filter(pk=device_id)
    return named if any(fits(demand, offer) for offer in _offers(named)) else None


def having_image(demand: Demand, kinds: Iterable[int], now: datetime) -> list[int]:
    """Return free devices of one of the kinds on which what is asked for is already; a few of each are looked at."""
    free = free_devices(now).filter(image=demand.image_id).order_by("idle_since")
    for kind in islice(kinds, _KINDS_LOOKED_AT):
        first = free.filter(kind=kind).values_list("pk", "boot_config")[:_LOOKED_AT]
        if having := [pk for pk, boot_config in first if boot_config == demand.boot_config]:
            return having
    return []


def _offers(devices: QuerySet[Device]) -> list[Offer]:
    return [
        Offer(pk, idle_since, environment, hardware, image, boot_config, frozenset(tags))
        for pk, idle_since, environment, hardware, image, boot_config, tags in devices.values_list(*_OFFER)
        if idle_since is not None
    ]
