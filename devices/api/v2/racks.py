"""Racks and types of hardware."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from rest_framework import serializers

from devices.api.v2.names import hardware_name
from devices.models import HardwareType, Rack
from devices.names import SLUG
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import StrictModelSerializer, Text
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.writing import Writable
from mozpool_site.api.values import row_id

_LEAST = {
    "list": Role.VIEWER,
    "retrieve": Role.VIEWER,
    "create": Role.ADMIN,
    "partial_update": Role.ADMIN,
    "destroy": Role.ADMIN,
}
_RACK = ("name", "imaging_server", "address", "base_url", "vlan_note")


class HttpURLField(forms.URLField):
    """A URL that is HTTP unless it says otherwise: devices speak nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(assume_scheme="http", **options)


class RackSerializer(StrictModelSerializer):
    """A rack: devices that share an imaging server and a VLAN."""

    url = serializers.URLField(read_only=True)
    # The form knows what a URL is; the schema would have an empty one be two things at once.
    base_url = Text(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Where its devices find us; empty: as everybody.",
    )

    class Meta:
        model = Rack
        fields = ("url", *_RACK)


class RackViewSet(Writable):
    """The racks."""

    queryset = Rack.objects.all()
    serializer_class = RackSerializer
    form_class = forms.modelform_factory(Rack, fields=_RACK, field_classes={"base_url": HttpURLField})
    columns = _RACK
    collection, word = "racks", "rack"
    least = _LEAST

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write racks."""
        return [
            {"url": link("racks", row["name"]), **{name: row[name] for name in self.columns}} for row in rows
        ]

    def one(self, key: str) -> QuerySet[Rack]:
        """Select a rack by its name."""
        return Rack.objects.filter(name=key) if SLUG.fullmatch(key) else Rack.objects.none()


class HardwareTypeSerializer(StrictModelSerializer):
    """A type of hardware; `name` is what other answers call it."""

    url = serializers.URLField(read_only=True)
    name = serializers.CharField(read_only=True)

    class Meta:
        model = HardwareType
        fields = ("id", "url", "name", "kind", "model")


class HardwareTypeViewSet(Writable):
    """The types of hardware, by number."""

    queryset = HardwareType.objects.all()
    serializer_class = HardwareTypeSerializer
    form_class = forms.modelform_factory(HardwareType, fields=("kind", "model"))
    columns = ("kind", "model")
    orderings = ("id",)
    lookup_field = "id"
    collection, word = "hardware-types", "hardware type"
    least = _LEAST

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write types of hardware."""
        return [
            {
                "id": row["pk"],
                "url": link("hardware-types", row["pk"]),
                "name": hardware_name(row["kind"], row["model"]),
                "kind": row["kind"],
                "model": row["model"],
            }
            for row in rows
        ]

    def one(self, key: str) -> QuerySet[HardwareType]:
        """Select a type by its number."""
        number = row_id(key)
        return HardwareType.objects.none() if number is None else HardwareType.objects.filter(pk=number)


urlpatterns = [*resource("racks", RackViewSet), *resource("hardware-types", HardwareTypeViewSet)]
