"""Operations: what hardware work was asked for, and how far it is."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from bmm.models import Kind, Operation, Status
from devices.models import Device
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import AnySerializer
from mozpool_site.api.v2.filters import ChoiceFilter, FilterSet, NameFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.views import Resource
from mozpool_site.api.values import row_id

COLUMNS = (
    "device_id", "kind", "status", "attempts", "actor", "created", "begun", "finished", "result", "message",
)  # fmt: skip


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "a power cycle that is done",
            response_only=True,
            value={
                "id": 815,
                "url": "http://mozpool.example/api/v2/operations/815/",
                "device": "panda-0001",
                "kind": "power_cycle",
                "status": "done",
                "attempts": 1,
                "actor": "ada",
                "created": "2026-11-22T13:55:23.527520Z",
                "begun": "2026-11-22T13:55:23.540113Z",
                "finished": "2026-11-22T13:55:25.102466Z",
                "result": "ok",
                "message": "",
            },
        )
    ]
)
class OperationSerializer(AnySerializer):
    """One piece of hardware work. It has ended when `finished` is set; `status` and `result` say how."""

    id = serializers.IntegerField()
    url = serializers.URLField()
    device = serializers.CharField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    attempts = serializers.IntegerField()
    actor = serializers.CharField(help_text="Who asked; empty: the device's own machine.")
    created = serializers.DateTimeField()
    begun = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    result = serializers.CharField()
    message = serializers.CharField()


def operations(rows: list[Row]) -> list[dict[str, Any]]:
    """Write rows of COLUMNS as callers see them; one query for the names of their devices."""
    numbers = {row["device_id"] for row in rows}
    names = dict(Device.objects.filter(pk__in=numbers).values_list("pk", "name")) if numbers else {}
    return [
        {
            "id": row["pk"],
            "url": link("operations", row["pk"]),
            "device": names.get(row["device_id"], ""),
            **{name: row[name] for name in COLUMNS[1:]},
        }
        for row in rows
    ]


def operation(number: int) -> dict[str, Any]:
    """Give one as callers see it, right after it was stored."""
    return operations(list(Operation.objects.filter(pk=number).values("pk", *COLUMNS)))[0]


class OperationFilters(FilterSet):  # type: ignore[misc]
    """What operations can be narrowed down by."""

    device = NameFilter(Device, field_name="device")
    status = ChoiceFilter(choices=Status.choices)
    kind = ChoiceFilter(choices=Kind.choices)


class OperationViewSet(Resource):
    """Hardware work, the newest first; kept as long as the journal."""

    queryset = Operation.objects.all()
    serializer_class = OperationSerializer
    filterset_class = OperationFilters
    columns = COLUMNS
    orderings = ("-id",)
    lookup_field = "id"
    word = "operation"
    least = {"list": Role.VIEWER, "retrieve": Role.VIEWER}

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write operations."""
        return operations(rows)

    def one(self, key: str) -> QuerySet[Operation]:
        """Select an operation by its number."""
        number = row_id(key)
        return Operation.objects.none() if number is None else Operation.objects.filter(pk=number)


urlpatterns = resource("operations", OperationViewSet)
