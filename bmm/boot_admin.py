"""The editor of boot configs, with a preview: what a given device would read of the text as it is typed."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse

from bmm.boot_preview import not_understood, readings
from devices.admin_base import CarefulAdmin, Tool
from devices.listing import device_named
from devices.models import BootConfig, Device
from mozpool_site.errors import MozpoolError, UnknownNameError

_OFFERED = 20


@admin.register(BootConfig)
class BootConfigAdmin(CarefulAdmin):
    """What boards read when they boot from the network."""

    list_display = ("name", "description", "active")
    list_filter = ("active",)
    search_fields = ("name", "description")
    change_form_template = "admin/pool/boot_config_form.html"
    formfield_overrides = {
        TextField: {
            "widget": forms.Textarea(
                attrs={"class": "pool-code", "rows": 14, "cols": 100, "spellcheck": "false"}
            )
        }
    }

    class Media:
        js = ("admin_pages/pool.js",)

    def get_urls(self) -> list[Any]:
        """Add the preview."""
        preview = self.admin_site.admin_view(self.preview)
        return [path("preview/", preview, name="devices_bootconfig_preview"), *super().get_urls()]

    def tools(self, request: HttpRequest) -> list[Tool]:
        """Lead to the matrix."""
        return [("Images × hardware", reverse("admin:devices_imagebootconfig_matrix"))]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Offer devices that the preview may be about."""
        row = kwargs.get("obj")
        return super().render_change_form(
            request, {**context, "preview_devices": _devices_for(row), "preview_of": row}, *args, **kwargs
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store it, and warn of the loaders that will understand nothing of it."""
        super().save_model(request, obj, form, change)
        for problem in not_understood(obj):
            self.message_user(request, f"{obj}: {problem}.", messages.WARNING)

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Show what a device would read: of the text that is sent, or of what is stored where none is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        sent = request.POST if request.method == "POST" else request.GET
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Preview",
            "opts": self.opts,
        }
        try:
            row = self._sent(sent)
            device = device_named(sent.get("preview_device", "").strip(), "rack")
            context |= {"row": row, "device": device, "readings": readings(row, device)}
        except MozpoolError as error:
            context["error"] = error.detail
        part = request.headers.get("X-Requested-With") == "fetch"
        name = "admin/pool/_boot_readings.html" if part else "admin/pool/boot_preview.html"
        return TemplateResponse(request, name, context, status=400 if "error" in context else 200)

    def _sent(self, sent: Any) -> BootConfig:
        key = sent.get("preview_of", "")
        stored = BootConfig.objects.filter(pk=key).first() if key.isascii() and key.isdigit() else None
        if "contents" not in sent:
            if stored is None:
                raise UnknownNameError("there is no such boot config", field="preview_of")
            return stored
        name = sent.get("name") or (stored.name if stored else "new")
        return BootConfig(name=name, contents=sent["contents"], second_stage=sent.get("second_stage", ""))


def _devices_for(row: BootConfig | None) -> list[str]:
    """Name some devices: those of hardware that the boot config is for, if it is for any."""
    devices = Device.objects.order_by("name")
    if row is not None and row.pk:
        hardware = list(row.uses.order_by().values_list("hardware_type_id", flat=True).distinct())
        devices = devices.filter(hardware_type__in=hardware) if hardware else devices
    return list(devices.values_list("name", flat=True)[:_OFFERED])
