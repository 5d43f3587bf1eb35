"""Admin pages of operations, and what keeps those of devices safe.

What switches power is in power_admin.py, boot configs are in boot_admin.py.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from bmm import boot_admin, power_admin  # noqa: F401 - they register their pages
from bmm.forms import DevicePageForm
from bmm.models import OPEN, Operation
from bmm.syslog import admin as syslog_admin  # noqa: F401 - registers its page
from devices.admin_base import CarefulAdmin, HistoryAdmin, RelatedByRow, machine_columns
from devices.models import Device

# What operators may change of a device.
FOR_OPERATORS = frozenset({"comments", "environment", "tags"})


class DeviceAdmin(CarefulAdmin):
    """Devices: people say what a device is and where it hangs, machines say all else. pages/repairs/ builds on it."""

    form = DevicePageForm
    autocomplete_fields = ("rack", "hardware_type", "power_controller")
    readonly_fields = machine_columns(Device)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Let operators change comments, environment and tags; the inventory is for those who may add to it."""
        if self.has_add_permission(request):
            return self.readonly_fields
        return tuple(field.name for field in Device._meta.concrete_fields if field.name not in FOR_OPERATORS)

    def why_kept(self, rows: Iterable[Any]) -> list[str]:
        """Keep a device that somebody has, or that the hardware side is busy with."""
        devices = list(rows)
        kept = [
            f"{device} is held by request {device.held_by}: return that first."
            for device in devices
            if device.held_by
        ]
        at_work = Operation.objects.filter(device__in=devices, status__in=OPEN).select_related("device")
        return kept + [f"{operation} is under way: lock the device out, or wait." for operation in at_work]


@admin.register(Operation)
class OperationAdmin(HistoryAdmin):
    """Hardware work, newest first."""

    list_display = (
        "id", "device", "kind", "status", "result", "message", "rack", "controller", "runner", "attempts", "created",
        "begun", "finished",
    )  # fmt: skip
    list_select_related = ("device", "rack", "controller")
    list_filter = ("status", "kind", ("rack", RelatedByRow))
    indexed_filters = frozenset({"status", "kind"})
    search_fields = ("id", "device__name")
    search_help_text = "The number of an operation, or the whole name of a device."
