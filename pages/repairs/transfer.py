"""Devices as a CSV file that a spreadsheet reads, and that can be brought in again."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse

from devices.admin_base import Tool
from devices.inventory.records import FIELDS
from devices.models import Device
from mozpool_site import clock
from pages.repairs.bringing import TOLD, ImportPages

COLUMNS = (*FIELDS, *TOLD)
_SLICE = 2000
# Texts that may be long, and that no cell shows.
_UNREAD = ("boot_config", "next_boot_config", "counters")
# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class TransferPages(ImportPages):
    """The way out; the way in is in bringing.py."""

    def transfer_tools(self, request: HttpRequest) -> list[Tool]:
        """Lead to the files; the one that goes out has the list's present filters."""
        query = request.GET.urlencode()
        export = reverse("admin:devices_device_export")
        tools = [("Export CSV", f"{export}?{query}" if query else export)]
        if self.has_add_permission(request):
            tools += [
                ("Import CSV", reverse("admin:devices_device_import")), ("Inventories", reverse("inventory")),
            ]  # fmt: skip
        return tools

    def get_urls(self) -> list[Any]:
        """Add it."""
        wrap = self.admin_site.admin_view
        return [path("export/", wrap(self.export), name="devices_device_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Send the devices that the list's filters leave, as CSV, row by row."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        try:
            found: QuerySet[Device] = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            told = {
                "title": "That can't be done",
                "opts": self.opts,
                "error": "A filter has a value that it can't have.",
            }
            context = {**self.admin_site.each_context(request), **told}
            return TemplateResponse(request, "admin/pool/refused.html", context, status=400)
        response = StreamingHttpResponse(written(found), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="devices-{clock.now():%Y-%m-%d}.csv"'
        return response


class _Echo:
    """Gives back what is written: csv.writer wants a file, a streamed answer wants text."""

    def write(self, text: str) -> str:
        """Give it back."""
        return text


def written(devices: QuerySet[Device]) -> Iterator[str]:
    """Write devices as CSV, the names of the columns first; a few queries for thousands of rows."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    related = ("rack", "hardware_type", "power_controller", "image")
    rows: Iterable[Device] = (
        devices.select_related(*related).defer(*_UNREAD).order_by("name").iterator(chunk_size=_SLICE)
    )
    for device in rows:
        yield writer.writerow(cells(device))


def cells(device: Device) -> list[str]:
    """Give a device's cells in the order of COLUMNS; devices/inventory reads the first of them as they are."""
    values = {
        "rack": device.rack.name,
        "hardware_type": str(device.hardware_type),
        "power_controller": device.power_controller.name if device.power_controller else "",
        "tags": " ".join(device.tags),
        "image": device.image.name if device.image else "",
        "state_since": device.state_since.isoformat(timespec="seconds"),
    }
    texts = [_text(values.get(name, getattr(device, name))) for name in COLUMNS]
    return [*texts[: len(FIELDS)], *(_harmless(text) for text in texts[len(FIELDS) :])]


def _harmless(text: str) -> str:
    """Keep a spreadsheet from running what somebody typed into a comment: an apostrophe makes it text."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _text(value: object) -> str:
    return "" if value is None else str(value)
