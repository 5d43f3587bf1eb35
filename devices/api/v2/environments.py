"""Environments: names that devices carry, and how many of each there are and wait for work."""

from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request

from devices.models import Device
from devices.names import SLUG
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import AnySerializer
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.views import ApiViewSet
from mozpool_site.errors import UnknownNameError


class EnvironmentSerializer(AnySerializer):
    """An environment; `free` counts the devices that are ready and held by nobody."""

    name = serializers.CharField()
    url = serializers.URLField()
    devices = serializers.IntegerField()
    free = serializers.IntegerField()


@extend_schema_serializer(many=False)
class EnvironmentListSerializer(AnySerializer):
    """All environments: there are few, so they come on one page."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = EnvironmentSerializer(many=True)


class EnvironmentViewSet(ApiViewSet):
    """The environments that devices serve."""

    lookup_field = "name"
    least = {"list": Role.VIEWER, "retrieve": Role.VIEWER}

    @extend_schema(responses=EnvironmentListSerializer, operation_id="environments_list")
    def list(self, request: Request) -> HttpResponse:
        """Give all of them, by name."""
        return self.reply({"next": None, "previous": None, "results": _counted(Device.objects.all())})

    @extend_schema(responses=EnvironmentSerializer)
    def retrieve(self, request: Request, name: str) -> HttpResponse:
        """Give one."""
        found = _counted(Device.objects.filter(environment=name)) if SLUG.fullmatch(name) else []
        if not found:
            raise UnknownNameError(f"there is no environment {name[:64]!r}", field="name")
        return self.reply(found[0])


def _counted(devices: QuerySet[Device]) -> list[dict[str, Any]]:
    """Count devices by environment, from an index alone."""
    groups = devices.order_by("environment").values("environment")
    return [
        {
            "name": group["environment"],
            "url": link("environments", group["environment"]),
            "devices": group["number"],
            "free": group["free"],
        }
        for group in groups.annotate(number=Count("id"), free=Count("idle_since"))
    ]


urlpatterns = resource("environments", EnvironmentViewSet)
