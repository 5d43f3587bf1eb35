"""Admin pages of what became of installing images, and of bulk actions: to be looked at."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Q

from devices.admin_base import HistoryAdmin, RelatedByRow
from devices.models import Image
from lifeguard.bulk.models import Batch, BatchItem
from lifeguard.models import Install


@admin.register(Install)
class InstallAdmin(HistoryAdmin):
    """Attempts to bring an image onto a device, newest first."""

    list_display = (
        "finished",
        "device",
        "image",
        "succeeded",
        "failed_in",
        "healthy_before",
        "config_digest",
    )
    list_select_related = ("device", "image")
    list_filter = ("succeeded", ("image", RelatedByRow))
    search_fields = ("device__name",)
    search_help_text = "The whole name of a device, or the digest of a boot config."

    def conditions(self, term: str) -> Iterator[Any]:
        """Yield also the digest, whose index begins with the image."""
        yield from super().conditions(term)
        yield Q(config_digest=term, image__in=list(Image.objects.values_list("pk", flat=True)))


@admin.register(Batch)
class BatchAdmin(HistoryAdmin):
    """Bulk actions, newest first: who asked for what over many devices, and why."""

    list_display = ("id", "verb", "total", "reason", "actor", "address", "created", "finished", "stopped_by")
    list_filter = ("verb", "created")
    search_fields = ("id", "actor")
    search_help_text = "The number of a bulk action, or the whole name of who asked for it."


@admin.register(BatchItem)
class BatchItemAdmin(HistoryAdmin):
    """What became of each device of a bulk action, newest first."""

    list_display = ("batch", "device", "progress", "message", "operation", "asked", "ended")
    list_select_related = ("batch", "device")
    list_filter = ("progress",)
    search_fields = ("batch_id", "device__name")
    search_help_text = "The number of a bulk action, or the whole name of a device."
