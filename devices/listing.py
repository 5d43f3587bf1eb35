"""Finds devices and their story for lists and pages: one query each."""

from datetime import datetime

from django.db.models import Min

from devices.models import Device, Journal
from devices.names import HOSTNAME
from mozpool_site.errors import UnknownNameError


def device_named(name: str, *related: str) -> Device:
    """Give the device of a name, with `related` rows joined. Raises UnknownNameError.

    What can't be a name is not even looked for: MySQL compares text more generously than we do.
    """
    devices = Device.objects.select_related(*related) if related else Device.objects.all()
    device = devices.filter(name=name).first() if HOSTNAME.fullmatch(name) else None
    if device is None:
        raise UnknownNameError(f"there is no device {name[:63]!r}", field="device")
    return device


def environments() -> list[str]:
    """Name the environments that devices serve, that of the oldest device first."""
    first = Device.objects.order_by().values("environment").annotate(first=Min("pk"))
    return list(first.order_by("first").values_list("environment", flat=True))


def lines_of_device(device_id: int, last: int, since: datetime | None = None) -> list[Journal]:
    """Give the last lines about a device, by time and then id, the oldest first; none from before `since`."""
    newest = Journal.objects.filter(device_id=device_id).order_by("-time", "-id")
    if since is not None:
        newest = newest.filter(time__gte=since)
    return list(newest[:last])[::-1]


def lines_of_request(request_id: int, last: int) -> list[Journal]:
    """Give the last lines about a request itself, the oldest first; those of its device are the device's."""
    newest = Journal.objects.filter(request_id=request_id, device_id=None).order_by("-time", "-id")
    return list(newest[:last])[::-1]
