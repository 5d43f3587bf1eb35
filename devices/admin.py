"""Admin pages of what exists, as far as it needs no driver: racks, hardware, images, the journal, the audit trail.

Boot configs and power controllers are in bmm/boot_admin.py and bmm/power_admin.py, where loaders and drivers are known;
devices are in pages/repairs/, which sees all that concerns them.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse

from devices import admin_base, admin_matrix  # noqa: F401 - the matrix registers its page
from devices.admin_base import CarefulAdmin, HistoryAdmin, Tool, machine_columns
from devices.models import Device, HardwareType, Image, ImageBootConfig, Journal, Rack
from devices.models.journal import BEFORE_ALL
from mozpool_site.access.models import AuditEntry

if TYPE_CHECKING:
    TabularInline = admin.TabularInline[Any, Any]
else:
    TabularInline = admin.TabularInline


@admin.register(Rack)
class RackAdmin(CarefulAdmin):
    """Racks; when their pulse last looked is the pulse's own to say."""

    list_display = ("name", "imaging_server", "address", "vlan_note", "pulse_seen")
    search_fields = ("name", "imaging_server")
    readonly_fields = machine_columns(Rack)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Read a URL without a scheme as HTTP: devices speak nothing else."""
        if db_field.name == "base_url":
            kwargs["assume_scheme"] = "http"
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(HardwareType)
class HardwareTypeAdmin(CarefulAdmin):
    """Types of hardware."""

    list_display = ("kind", "model")
    search_fields = ("kind", "model")


class BootConfigsOfImage(TabularInline):
    """Which boot config installs an image on which hardware, on the image's page."""

    model = ImageBootConfig
    autocomplete_fields = ("hardware_type", "boot_config")
    extra = 0


@admin.register(Image)
class ImageAdmin(CarefulAdmin):
    """Images and how they show that they are up."""

    list_display = ("name", "verification", "verify_port", "reusable", "hidden", "boot_config_keys")
    list_filter = ("verification", "reusable", "hidden")
    search_fields = ("name",)
    inlines = (BootConfigsOfImage,)

    def tools(self, request: HttpRequest) -> list[Tool]:
        """Lead to the matrix."""
        return [("Images × hardware", reverse("admin:devices_imagebootconfig_matrix"))]


@admin.register(Journal)
class JournalAdmin(HistoryAdmin):
    """The journal, newest first. Searched by device or request, for which it has an index, and by nothing else."""

    list_display = (
        "time",
        "source",
        "actor",
        "device",
        "request_id",
        "event",
        "from_state",
        "to_state",
        "message",
    )
    list_filter = ("source", "time")
    indexed_filters = frozenset({"time"})
    ordering = ("-time", "-id")
    search_fields = ("device_id",)
    search_help_text = "The whole name of a device, or the number of a request."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Bring the devices' names along: the journal has plain numbers and no foreign keys."""
        name = Device.objects.filter(pk=OuterRef("device_id")).values("name")
        lines: QuerySet[Any] = super().get_queryset(request).filter(time__gt=BEFORE_ALL)
        named: QuerySet[Any] = lines.annotate(device_name=Subquery(name))
        return named

    def newest(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the newest SEARCHED lines, in whose order the numbers of lines are only almost."""
        times = Journal.objects.filter(time__gt=BEFORE_ALL).order_by("-time", "-id")
        oldest = times.values_list("time", flat=True)[admin_base.SEARCHED :].first()
        return rows if oldest is None else rows.filter(time__gt=oldest)

    @admin.display(description="device")
    def device(self, line: Any) -> str:
        """Name the device, or give its number when it is no longer there."""
        if line.device_id is None:
            return ""
        return line.device_name or f"#{line.device_id}"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the lines of one device or one request."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isascii() and term.isdigit() and len(term) < 19:  # noqa: PLR2004 - fits a 64-bit integer
            return queryset.filter(request_id=int(term)), False
        device = Device.objects.filter(name=term).values_list("pk", flat=True).first()
        return (queryset.none() if device is None else queryset.filter(device_id=device)), False


@admin.register(AuditEntry)
class AuditEntryAdmin(HistoryAdmin):
    """Who changed what, newest first. Searched by whom it was, or by what it was done to."""

    list_display = (
        "time",
        "actor",
        "address",
        "action",
        "target_kind",
        "target",
        "before",
        "after",
        "request_id",
    )
    list_filter = ("time",)
    indexed_filters = frozenset({"time"})
    ordering = ("-time", "-pk")
    search_fields = ("actor", "target")
    search_help_text = "A user's whole name, or the whole name of what was changed."


__all__ = [
    "AuditEntryAdmin",
    "HardwareTypeAdmin",
    "ImageAdmin",
    "JournalAdmin",
    "RackAdmin",
]
