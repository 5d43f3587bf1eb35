"""Power controllers. Their secret settings go in and never come out; what is wrong with one, its admin form says."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from bmm import services
from bmm.api.v2.operations import FollowSerializer, NothingSerializer, following
from bmm.controllers import secret_settings
from bmm.forms import PowerControllerForm
from bmm.models import Kind
from devices.models import PowerController, Rack
from devices.names import SLUG
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import Named, StrictModelSerializer
from mozpool_site.api.v2.filters import FilterSet, NameFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.writing import Writable
from mozpool_site.errors import UnknownNameError


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
        "test": Role.OPERATOR,
        "read_outlets": Role.OPERATOR,
    }

    @extend_schema(request=NothingSerializer, responses={202: FollowSerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, name: str) -> HttpResponse:
        """Have a worker of its rack ask it for a sign of life; that switches nothing."""
        return self._asking(name, Kind.TEST_CONTROLLER)

    @extend_schema(request=NothingSerializer, responses={202: FollowSerializer})
    @action(detail=True, methods=["post"], url_path="read-outlets")
    def read_outlets(self, request: Request, name: str) -> HttpResponse:
        """Have a worker of its rack ask it for the power of all its outlets; that switches nothing."""
        return self._asking(name, Kind.READ_OUTLETS)

    def _asking(self, name: str, kind: Kind) -> HttpResponse:
        NothingSerializer(data=self.request.data).is_valid(raise_exception=True)
        found = self.one(name).first()
        if found is None:
            raise UnknownNameError(f"there is no {self.word} {name[:63]!r}", field=self.lookup_field)
        return following(self, services.ask_controller(found.pk, kind, by=self.caller.actor).operation)

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write power controllers without their secrets."""
        return [_entry(row) for row in rows]

    def one(self, key: str) -> QuerySet[PowerController]:
        """Select a power controller by its name."""
        rows = PowerController.objects.all()
        return rows.filter(name=key) if SLUG.fullmatch(key) else rows.none()


def _entry(row: Row) -> dict[str, Any]:
    stored = row["settings"] if isinstance(row["settings"], dict) else {}
    secret = secret_settings(row["driver"], stored)
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


urlpatterns = resource("power-controllers", PowerControllerViewSet)
