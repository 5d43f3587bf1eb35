"""Images with their version notes, and the boot configs that bring them onto hardware."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from devices.api.v2.names import HardwareName, hardware_name
from devices.models import BootConfig, Image, ImageBootConfig
from devices.names import SLUG
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import Named, StrictModelSerializer, WholeSerializer, names
from mozpool_site.api.v2.filters import FilterSet, TrueFalseFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.writing import Values, Writable

_IMAGE = (
    "name", "boot_config_keys", "reusable", "hidden", "verification", "verify_port", "download_timeout",
    "download_limit", "install_timeout", "install_limit", "verify_timeout", "verify_limit", "settle_seconds",
    "version_notes",
)  # fmt: skip
_BOOT_CONFIG = ("name", "description", "contents", "second_stage", "active")


class InstallableSerializer(WholeSerializer):
    """The boot config that installs an image on a type of hardware."""

    hardware_type = HardwareName()
    boot_config = Named(BootConfig)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "an image verified by a TCP port",
            request_only=True,
            value={
                "name": "android",
                "boot_config_keys": [],
                "reusable": True,
                "verification": "tcp",
                "verify_port": 5555,
                "version_notes": "Android 4.0.4 of November.",
                "boot_configs": [{"hardware_type": "panda/es-b3", "boot_config": "panda-android"}],
            },
        )
    ]
)
class ImageSerializer(StrictModelSerializer):
    """An image: what can be put on a device, how it shows that it is up, and what is in it."""

    url = serializers.URLField(read_only=True)
    boot_config_keys = names(32, required=False)
    boot_configs = InstallableSerializer(many=True, required=False)

    class Meta:
        model = Image
        fields = ("url", *_IMAGE, "boot_configs")


class ImageFilters(FilterSet):  # type: ignore[misc]
    """What images can be narrowed down by."""

    hidden = TrueFalseFilter()
    reusable = TrueFalseFilter()


class ImageViewSet(Writable):
    """The images. Hidden ones can't be requested by programs that ask what there is."""

    queryset = Image.objects.all()
    serializer_class = ImageSerializer
    filterset_class = ImageFilters
    form_class = forms.modelform_factory(Image, fields=_IMAGE)
    columns = _IMAGE
    collection, word = "images", "image"
    least = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "create": Role.ADMIN,
        "partial_update": Role.ADMIN,
        "destroy": Role.ADMIN,
    }

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write images; one query more for the boot configs of all."""
        uses: dict[int, list[dict[str, str]]] = {row["pk"]: [] for row in rows}
        columns = ("image_id", "hardware_type__kind", "hardware_type__model", "boot_config__name")
        matrix = ImageBootConfig.objects.filter(image__in=uses).order_by("image_id", "hardware_type_id")
        for image, kind, model, boot_config in matrix.values_list(*columns):
            uses[image].append({"hardware_type": hardware_name(kind, model), "boot_config": boot_config})
        return [
            {
                "url": link("images", row["name"]),
                **{name: row[name] for name in _IMAGE},
                "boot_configs": uses[row["pk"]],
            }
            for row in rows
        ]

    def one(self, key: str) -> QuerySet[Image]:
        """Select an image by its name."""
        return Image.objects.filter(name=key) if SLUG.fullmatch(key) else Image.objects.none()

    def saved(self, row: Any, values: Values) -> Any:
        """Store the image, and where they are given all of its boot configs anew."""
        uses = values.pop("boot_configs", None)
        image = super().saved(row, values)
        if uses is not None:
            twice = len({use["hardware_type"].pk for use in uses}) < len(uses)
            if twice:
                raise serializers.ValidationError(
                    {"boot_configs": ["one boot config for each hardware type"]}
                )
            ImageBootConfig.objects.filter(image=image).delete()
            ImageBootConfig.objects.bulk_create(ImageBootConfig(image=image, **use) for use in uses)
        return image


class BootConfigSerializer(StrictModelSerializer):
    """What a board reads when it boots from the network, and the script that its live image then runs."""

    url = serializers.URLField(read_only=True)

    class Meta:
        model = BootConfig
        fields = ("url", *_BOOT_CONFIG)


class BootConfigFilters(FilterSet):  # type: ignore[misc]
    """What boot configs can be narrowed down by."""

    active = TrueFalseFilter()


class BootConfigViewSet(Writable):
    """The boot configs."""

    queryset = BootConfig.objects.all()
    serializer_class = BootConfigSerializer
    filterset_class = BootConfigFilters
    form_class = forms.modelform_factory(BootConfig, fields=_BOOT_CONFIG)
    columns = _BOOT_CONFIG
    collection, word = "boot-configs", "boot config"
    least = {
        "list": Role.OPERATOR,
        "retrieve": Role.OPERATOR,
        "create": Role.ADMIN,
        "partial_update": Role.ADMIN,
        "destroy": Role.ADMIN,
    }

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write boot configs."""
        return [
            {"url": link("boot-configs", row["name"]), **{name: row[name] for name in _BOOT_CONFIG}}
            for row in rows
        ]

    def one(self, key: str) -> QuerySet[BootConfig]:
        """Select a boot config by its name."""
        return BootConfig.objects.filter(name=key) if SLUG.fullmatch(key) else BootConfig.objects.none()


urlpatterns = [*resource("images", ImageViewSet), *resource("boot-configs", BootConfigViewSet)]
