"""Admin page of what became of installing images."""

from django.contrib import admin

from devices.admin_base import HistoryAdmin
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
    list_filter = ("succeeded", "image")
    search_fields = ("device__name__exact", "config_digest__exact")
    search_help_text = "The whole name of a device, or the digest of a boot config."
