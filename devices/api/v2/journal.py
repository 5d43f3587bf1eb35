"""The journal: what happened, the newest first."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from devices.models import Device, Journal
from devices.models.journal import BEFORE_ALL, Source
from mozpool_site import clock
from mozpool_site.api.access import Role
from mozpool_site.api.v2.fields import AnySerializer
from mozpool_site.api.v2.filters import CharFilter, ChoiceFilter, FilterSet, IdFilter, NameFilter, TimeFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.views import Collection
from mozpool_site.errors import InvalidInputError

COLUMNS = (
    "id", "time", "device_id", "request_id", "source", "actor", "event", "from_state", "to_state", "message",
)  # fmt: skip
# Words that the journal has no index for are looked for in an hour at most: a large pool writes a million lines a day.
_SEARCHED = timedelta(hours=1)


class JournalSerializer(AnySerializer):
    """One line. `device` is the name of a device that is still there."""

    id = serializers.IntegerField()
    time = serializers.DateTimeField()
    device = serializers.CharField(allow_null=True)
    request = serializers.IntegerField(allow_null=True)
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    actor = serializers.CharField()
    event = serializers.CharField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    message = serializers.CharField()


def lines(rows: list[Row]) -> list[dict[str, Any]]:
    """Write rows of COLUMNS as callers see them; one query for the names of their devices."""
    numbers = {row["device_id"] for row in rows} - {None}
    names = dict(Device.objects.filter(pk__in=numbers).values_list("pk", "name")) if numbers else {}
    return [
        {
            "id": row["id"],
            "time": row["time"],
            "device": names.get(row["device_id"]),
            "request": row["request_id"],
            **{name: row[name] for name in COLUMNS[4:]},
        }
        for row in rows
    ]


class JournalFilters(FilterSet):  # type: ignore[misc]
    """What the journal can be narrowed down by; what has no index only within an hour, a device or a request."""

    device = NameFilter(Device, field_name="device")
    request = IdFilter(field_name="request_id")
    source = ChoiceFilter(choices=Source.choices)
    actor = CharFilter(max_length=100)
    event = CharFilter(max_length=64)
    since = TimeFilter(field_name="time", lookup_expr="gte")
    until = TimeFilter(field_name="time", lookup_expr="lt")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow down. Raises InvalidInputError for what would read all that ever happened."""
        given = {name for name, value in self.form.cleaned_data.items() if value}
        if "since" not in given:
            queryset = queryset.filter(time__gt=BEFORE_ALL)
        slow = sorted(given & {"source", "actor", "event"})
        if slow and not given & {"device", "request"}:
            since, until = self.form.cleaned_data["since"], self.form.cleaned_data["until"]
            if since is None or (until or clock.now()) - since > _SEARCHED:
                raise InvalidInputError(
                    f"{slow[0]}: together with device, request, or an hour at most between since and until",
                    field=slow[0],
                )
        narrowed: QuerySet[Any] = super().filter_queryset(queryset)
        return narrowed


class JournalViewSet(Collection):
    """What happened in the pool."""

    queryset = Journal.objects.all()
    serializer_class = JournalSerializer
    filterset_class = JournalFilters
    columns = COLUMNS
    orderings = ("-time",)
    least = {"list": Role.VIEWER}

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write lines."""
        return lines(rows)


urlpatterns = resource("journal", JournalViewSet)
