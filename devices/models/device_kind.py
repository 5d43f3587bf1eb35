"""Kinds of devices: what a request can tell devices apart by, but for their names. They are few and never change."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from django.apps import apps
from django.db import IntegrityError, models, transaction

from devices.models.hardware import HardwareType

if TYPE_CHECKING:
    from devices.models.device import Device

# The columns of a device that its kind follows from.
KIND_COLUMNS = frozenset({"environment", "hardware_type", "hardware_type_id", "tags"})

DeviceT = TypeVar("DeviceT", bound="Device")
T = TypeVar("T")


class DeviceKind(models.Model):
    """Devices of one environment, one type of hardware and the same tags. Free ones are searched for by kind."""

    environment = models.CharField(max_length=64)
    hardware_type = models.ForeignKey(HardwareType, on_delete=models.CASCADE, related_name="+")
    tags = models.JSONField(default=list, help_text="In the order of the alphabet.")
    digest = models.CharField(max_length=64, unique=True, help_text="Of the other columns.")

    def __str__(self) -> str:
        return " ".join([self.environment, str(self.hardware_type), *self.tags])


def kind_digest(environment: str, hardware_type_id: int, tags: Iterable[str]) -> str:
    """Return what a kind is found by."""
    canonical = json.dumps([environment, hardware_type_id, sorted(tags)])
    return hashlib.sha256(canonical.encode()).hexdigest()


def kinds_with(tags: Iterable[str]) -> list[int]:
    """Return the kinds that have all of these tags."""
    return [pk for pk, having in DeviceKind.objects.values_list("pk", "tags") if {*tags} <= {*having}]


def store_with_kinds(devices: Collection["Device"], store: Callable[[], T]) -> T:
    """Store devices with the kinds that follow from what they are; again where one of these was pruned meanwhile."""
    while True:
        _assign_kinds(devices)
        try:
            with transaction.atomic():
                return store()
        except IntegrityError:
            kinds = {device.kind_id for device in devices}
            if DeviceKind.objects.filter(pk__in=kinds).count() == len(kinds):
                raise


def prune_kinds(most: int = 1_000) -> int:
    """Delete kinds that no device is of any more, so many at most; return how many.

    Whoever stores a device of one of them at this moment keeps it: the database lets no kind go that a device has.
    """
    # MySQL jumps from kind to kind in the index for the first; a join would read all devices.
    used = apps.get_model("devices", "Device").objects.order_by().values_list("kind", flat=True).distinct()
    unused = sorted(set(DeviceKind.objects.values_list("pk", flat=True)).difference(used))
    pruned = 0
    for pk in unused[:most]:
        with suppress(IntegrityError), transaction.atomic():
            pruned += DeviceKind.objects.filter(pk=pk).delete()[0]
    return pruned


def _assign_kinds(devices: Collection["Device"]) -> None:
    """Set the kind of unsaved devices, with the tags in the order of kinds; make the kinds that are new."""
    by_digest: dict[str, list[Device]] = {}
    for device in devices:
        device.tags = sorted(device.tags)
        digest = kind_digest(device.environment, device.hardware_type_id, device.tags)
        by_digest.setdefault(digest, []).append(device)
    known = dict(DeviceKind.objects.filter(digest__in=by_digest).values_list("digest", "pk"))
    for digest, alike in by_digest.items():
        kind = known.get(digest) or _create(digest, alike[0])
        for device in alike:
            device.kind_id = kind


def _create(digest: str, like: "Device") -> int:
    columns = {
        "environment": like.environment,
        "hardware_type_id": like.hardware_type_id,
        "tags": like.tags,
    }
    # Whoever else makes it at this moment makes the same.
    with suppress(IntegrityError), transaction.atomic():
        return DeviceKind.objects.create(digest=digest, **columns).pk
    return DeviceKind.objects.get(digest=digest).pk


class DeviceQuerySet(models.QuerySet[DeviceT]):
    """Devices; whatever writes what a kind follows from writes the kind with it."""

    def bulk_create(self, objs: Iterable[DeviceT], *args: Any, **options: Any) -> list[DeviceT]:
        """Store many new devices."""
        devices = list(objs)
        return store_with_kinds(
            devices, lambda: super(DeviceQuerySet, self).bulk_create(devices, *args, **options)
        )

    def update(self, **columns: Any) -> int:
        """Change columns of many. Raise TypeError for those that a kind follows from: each device must be saved."""
        if KIND_COLUMNS.intersection(columns):
            raise TypeError(
                f"a device's kind follows from {', '.join(sorted(KIND_COLUMNS & {*columns}))}: save each"
            )
        return super().update(**columns)
