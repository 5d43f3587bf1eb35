"""The matrix of images and hardware: which boot config installs which image on which hardware, and where none does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode

from devices.admin_base import CarefulAdmin, Tool
from devices.models import HardwareType, Image, ImageBootConfig

_BACK = "to_matrix"


@dataclass(frozen=True)
class Cell:
    """What serves one image on one hardware: `use` is None for a hole. `address` leads to its form, or to a new one."""

    use: ImageBootConfig | None
    address: str
    label: str


@dataclass(frozen=True)
class Row:
    """An image, and a cell for each type of hardware, in the order of the columns. `holes` counts the empty ones."""

    image: Image
    cells: tuple[Cell, ...]

    @property
    def holes(self) -> int:
        """How many types of hardware cannot get it."""
        return sum(cell.use is None for cell in self.cells)


def rows(images: Sequence[Image], hardware: Sequence[HardwareType]) -> list[Row]:
    """Lay the matrix out. One query."""
    uses = {
        (use.image_id, use.hardware_type_id): use
        for use in ImageBootConfig.objects.select_related("boot_config").order_by()
    }
    return [
        Row(image, tuple(_cell(uses.get((image.pk, kind.pk)), image, kind) for kind in hardware))
        for image in images
    ]


def _cell(use: ImageBootConfig | None, image: Image, kind: HardwareType) -> Cell:
    if use is not None:
        address = reverse("admin:devices_imagebootconfig_change", args=(use.pk,))
        return Cell(use, f"{address}?{_BACK}=1", f"{image} on {kind}: {use.boot_config}")
    wanted = urlencode({"image": image.pk, "hardware_type": kind.pk, _BACK: 1})
    address = f"{reverse('admin:devices_imagebootconfig_add')}?{wanted}"
    return Cell(None, address, f"Nothing installs {image} on {kind}: add a boot config")


@admin.register(ImageBootConfig)
class ImageBootConfigAdmin(CarefulAdmin):
    """The pairs of the matrix one by one, and the matrix itself."""

    list_display = ("image", "hardware_type", "boot_config")
    list_select_related = ("image", "hardware_type", "boot_config")
    list_filter = ("hardware_type",)
    search_fields = ("image__name", "boot_config__name")
    autocomplete_fields = ("image", "hardware_type", "boot_config")

    def get_urls(self) -> list[Any]:
        """Add the matrix."""
        matrix = self.admin_site.admin_view(self.matrix)
        return [path("matrix/", matrix, name="devices_imagebootconfig_matrix"), *super().get_urls()]

    def tools(self, request: HttpRequest) -> list[Tool]:
        """Lead to the matrix."""
        return [("Matrix", reverse("admin:devices_imagebootconfig_matrix"))]

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Go back to the matrix, if it sent us."""
        return _back(request) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Go back to the matrix, if it sent us."""
        return _back(request) or super().response_post_save_change(request, obj)

    def matrix(self, request: HttpRequest) -> HttpResponse:
        """Show which boot config serves which pair, and the holes. Four queries, whatever there is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        hardware = list(HardwareType.objects.annotate(number=Count("devices")))
        found = rows(list(Image.objects.all()), hardware)
        context = {
            **self.admin_site.each_context(request),
            "title": "Images × hardware",
            "opts": self.opts,
            "hardware": hardware,
            "rows": found,
            "holes": sum(row.holes for row in found),
            "may_add": self.has_add_permission(request),
        }
        return TemplateResponse(request, "admin/pool/matrix.html", context)


def _back(request: HttpRequest) -> HttpResponseRedirect | None:
    if _BACK not in request.GET:
        return None
    return HttpResponseRedirect(reverse("admin:devices_imagebootconfig_matrix"))
