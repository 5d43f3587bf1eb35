"""Power controllers. Their secret settings go in and never come out; what is wrong with one, its admin form says."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from bmm.drivers.power import driver_class
from bmm.errors import Misconfigured
from bmm.forms import PowerControllerForm
from devices.models import PowerController, Rack
from devices.names import SLUG
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import Named, StrictModelSerializer
from mozpool_site.api.v2.filters import FilterSet, NameFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.writing import Writable


class PowerControllerSerializer(StrictModelSerializer):
    """A board of outlets. `settings` are the open ones; `secrets_set` names the secret ones that are stored."""

    url = serializers.URLField(read_only=True)
    rack = Named(Rack)
    settings = serializers.DictField(
        required=False, help_text="What the driver needs beyond the address, without secrets."
    )
    secrets = serializers.DictField(
        required=False, write_only=True, help_text="Secret settings to set or replace; null removes one."
    )
    secrets_set = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = PowerController
        fields = (
            "url", "name", "rack", "driver", "address", "settings", "secrets", "secrets_set", "suspect_until",
        )  # fmt: skip
        read_only_fields = ("suspect_until",)


class PowerControllerFilters(FilterSet):  # type: ignore[misc]
    """What power controllers can be narrowed down by."""

    rack = NameFilter(Rack, field_name="rack")


class PowerControllerViewSet(Writable):
    """The power controllers."""

    queryset = PowerController.objects.all()
    serializer_class = PowerControllerSerializer
    filterset_class = PowerControllerFilters
    form_class = PowerControllerForm
    columns = ("name", "rack__name", "driver", "address", "settings", "suspect_until")
    collection, word = "power-controllers", "power controller"
    least = {
        "list": Role.OPERATOR,
        "retrieve": Role.OPERATOR,
        "create": Role.ADMIN,
        "partial_update": Role.ADMIN,
        "destroy": Role.ADMIN,
    }

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write power controllers without their secrets."""
        return [_entry(row) for row in rows]

    def one(self, key: str) -> QuerySet[PowerController]:
        """Select a power controller by its name."""
        rows = PowerController.objects.all()
        return rows.filter(name=key) if SLUG.fullmatch(key) else rows.none()


def _entry(row: Row) -> dict[str, Any]:
    stored = row["settings"] if isinstance(row["settings"], dict) else {}
    secret = _secret_names(row["driver"], stored)
    return {
        "url": link("power-controllers", row["name"]),
        "name": row["name"],
        "rack": row["rack__name"],
        "driver": row["driver"],
        "address": row["address"],
        "settings": {name: value for name, value in stored.items() if name not in secret},
        "secrets_set": sorted(secret & stored.keys()),
        "suspect_until": row["suspect_until"],
    }


def _secret_names(driver: str, stored: dict[str, Any]) -> set[str]:
    """Name a driver's secret settings; of one that is not installed any may be."""
    try:
        return {spec.name for spec in driver_class(driver).settings if spec.secret}
    except Misconfigured:
        return set(stored)


urlpatterns = resource("power-controllers", PowerControllerViewSet)
