"""Operations: what was asked of the hardware, and how far it is."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from bmm.models import Kind, Operation, Status
from devices.models import Device, PowerController
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import AnySerializer, StrictSerializer
from mozpool_site.api.v2.filters import ChoiceFilter, FilterSet, NameFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.views import ApiViewSet, Resource
from mozpool_site.api.values import row_id

COLUMNS = (
    "device_id", "controller__name", "kind", "status", "attempts", "actor", "created", "begun", "finished", "result",
    "message", "found",
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
                "controller": "relay-1-1",
                "kind": "power_cycle",
                "status": "done",
                "attempts": 1,
                "actor": "ada",
                "created": "2026-11-22T13:55:23.527520Z",
                "begun": "2026-11-22T13:55:23.540113Z",
                "finished": "2026-11-22T13:55:25.102466Z",
                "result": "ok",
                "message": "",
                "found": None,
            },
        )
    ]
)
class OperationSerializer(AnySerializer):
    """One piece of hardware work. It has ended when `finished` is set; `status` and `result` say how."""

    id = serializers.IntegerField()
    url = serializers.URLField()
    device = serializers.CharField(
        allow_null=True, help_text="Null for a question to the power controller itself."
    )
    controller = serializers.CharField(allow_null=True, help_text="The power controller that is spoken to.")
    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    attempts = serializers.IntegerField()
    actor = serializers.CharField(help_text="Who asked; empty: the device's own machine.")
    created = serializers.DateTimeField()
    begun = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    result = serializers.CharField()
    message = serializers.CharField()
    found = serializers.DictField(
        allow_null=True,
        help_text="Of `read_outlets`: `power` by outlet (true: on; null: it can't tell), and `errors` by outlet.",
    )


def operations(rows: list[Row]) -> list[dict[str, Any]]:
    """Write rows of COLUMNS as callers see them; one query for the names of their devices."""
    numbers = {row["device_id"] for row in rows}
    names = dict(Device.objects.filter(pk__in=numbers).values_list("pk", "name")) if numbers else {}
    return [
        {
            "id": row["pk"],
            "url": link("operations", row["pk"]),
            "device": names.get(row["device_id"]),
            "controller": row["controller__name"],
            **{name: row[name] for name in COLUMNS[2:]},
        }
        for row in rows
    ]


def operation(number: int) -> dict[str, Any]:
    """Give one as callers see it, right after it was stored."""
    return operations(list(Operation.objects.filter(pk=number).values("pk", *COLUMNS)))[0]


class NothingSerializer(StrictSerializer):
    """An empty body, or none."""


class FollowSerializer(AnySerializer):
    """The operation that was begun: follow its `url` until `finished` is set."""

    operation = OperationSerializer()


def following(view: ApiViewSet, begun: Operation) -> HttpResponse:
    """Answer a call with the operation that it has begun."""
    return view.reply({"operation": operation(begun.pk)}, 202, {"Location": link("operations", begun.pk)})


class OperationFilters(FilterSet):  # type: ignore[misc]
    """What operations can be narrowed down by."""

    device = NameFilter(Device, field_name="device")
    controller = NameFilter(PowerController, field_name="controller")
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
