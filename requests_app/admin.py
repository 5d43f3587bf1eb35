"""Admin pages of requests and of the pool's lease: to be looked at; requests are filed and returned elsewhere."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from devices.admin_base import HistoryAdmin, LongList
from mozpool_site.by_row import by_row
from mozpool_site.pulse.models import Parked
from requests_app.models import DailyFigures, PoolLease, Request
from requests_app.states import REQUEST
from requests_app.webhooks.admin import DeliveryAdmin, WebhookAdmin  # noqa: F401 - they register themselves


class StateFilter(admin.SimpleListFilter):
    """The states that a request can be in, without asking a table of years of requests for them."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Give a choice for each state that is stored."""
        return [(name, name) for name in REQUEST.stored()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list down."""
        return queryset.filter(by_row(Q(state=self.value()))) if self.value() else queryset


@admin.register(Request)
class RequestAdmin(HistoryAdmin):
    """Requests, newest first."""

    list_display = (
        "id", "state", "assignee", "owner", "image", "environment", "requested_device", "last_device", "created",
        "expires", "ready_at", "ended",
    )  # fmt: skip
    list_select_related = ("image", "requested_device", "last_device")
    list_filter = (StateFilter, "image")
    indexed_filters = frozenset({"image"})
    search_fields = ("id", "last_device__name", "requested_device__name", "assignee")
    search_help_text = "A request's number, the whole name of its device, or its whole assignee."


@admin.register(PoolLease)
class PoolLeaseAdmin(HistoryAdmin):
    """Which pulse looks after the pool."""

    list_display = ("name", "owner", "until")


@admin.register(Parked)
class ParkedAdmin(HistoryAdmin):
    """Rows that the pulses pass over for a while, and why."""

    list_display = ("loop", "key", "times", "error", "first", "last", "until")
    list_filter = ("loop",)


class DaysList(LongList):
    """Days without their figures: those of a thousand racks are a long text."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Leave them out."""
        days: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return days.defer("figures")


@admin.register(DailyFigures)
class DailyFiguresAdmin(HistoryAdmin):
    """What past days were added up to, for the statistics."""

    list_display = ("day",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list."""
        return DaysList
