"""Admin pages of devices and operations; those of what switches power are in power_admin.py."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from bmm import power_admin  # noqa: F401 - registers its pages
from bmm.forms import DeviceForm
from bmm.models import OPEN, Operation
from bmm.syslog import admin as syslog_admin  # noqa: F401 - registers its page
from devices.admin_base import CarefulAdmin, HistoryAdmin, machine_columns
from devices.models import Device

# What operators may change of a device.
FOR_OPERATORS = frozenset({"comments", "environment", "tags"})

if TYPE_CHECKING:
    Lookups = Iterable[tuple[str, str]]


class HeldFilter(admin.SimpleListFilter):
    """Devices that a request has, or that none has."""

    title = "held"
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> "Lookups":
        """Give the two choices."""
        return (("yes", "by a request"), ("no", "by nobody"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        if self.value() in ("yes", "no"):
            return queryset.filter(held_by__isnull=self.value() == "no")
        return queryset


@admin.register(Device)
class DeviceAdmin(CarefulAdmin):
    """Devices: people say what a device is and where it hangs, machines say all else."""

    form = DeviceForm
    list_display = (
        "name", "state", "state_since", "held_by", "rack", "environment", "hardware_type", "image", "health",
    )  # fmt: skip
    list_select_related = ("rack", "hardware_type", "image")
    list_filter = ("rack", "hardware_type", "environment", "state", "health", HeldFilter)
    search_fields = ("name", "fqdn", "mac", "inventory_id__exact")
    autocomplete_fields = ("rack", "hardware_type", "power_controller")
    readonly_fields = machine_columns(Device)
    fieldsets = (
        (None, {"fields": ("name", "fqdn", "address", "mac", "inventory_id", "hardware_type")}),
        ("Where it hangs", {"fields": ("rack", "power_controller", "outlet")}),
        ("For whom", {"fields": ("environment", "tags", "comments")}),
        ("Now, as its machine says", {"fields": machine_columns(Device)}),
    )

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
    list_filter = ("status", "kind", "rack")
    search_fields = ("id__exact", "device__name__exact")
    search_help_text = "The number of an operation, or the whole name of a device."
