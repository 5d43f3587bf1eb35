"""Requests: file, look, renew, return. Where the web server can wait, `?wait=` is served by waiting.py instead."""

from typing import Any, cast

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import URLPattern
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request as Call

from devices.api.v2.journal import COLUMNS as LINE
from devices.api.v2.journal import JournalSerializer, lines
from devices.models import Device, Image, Journal
from mozpool_site.api.access import LEGACY, Caller, Role
from mozpool_site.api.v2 import keyset
from mozpool_site.api.v2.filters import CharFilter, ChoiceFilter, FilterSet, NameFilter
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.routes import resource
from mozpool_site.api.v2.views import Resource
from mozpool_site.api.values import row_id
from mozpool_site.errors import InvalidInputError, MozpoolError, UnknownNameError
from requests_app import lists, services
from requests_app.api.ownership import demand_ownership
from requests_app.api.v2.orders import DurationSerializer, OrderSerializer, read_filing, read_order
from requests_app.api.v2.rendering import COLUMNS, RequestSerializer, answer, entries, entry_of
from requests_app.api.v2.waiting import LONGEST_WAIT, read_waiting
from requests_app.models import Request
from requests_app.states import REQUEST

_LONGEST = 100
_IN_VAIN = ("failed_device_busy", "failed_device_not_found")
_KEY = OpenApiParameter(
    "Idempotency-Key",
    location="header",
    description="At most 255 printable ASCII characters. The same key with the same body files nothing again.",
)
_WAIT = (
    OpenApiParameter(
        "wait", int, description=f"Seconds, 0 to {LONGEST_WAIT}, to wait for a change of state."
    ),
    OpenApiParameter("state_seq", int, description="The one that you know; by default the present one."),
)
_UNKNOWN = OpenApiResponse(description="There is no such image, device or type of hardware.")
_IMPOSSIBLE = OpenApiResponse(description="Nothing could ever match, or the key was used for another body.")


class NothingFreeError(MozpoolError):
    """No device was free, or the named one was taken, and the request did not want to wait."""

    code = "conflict"
    http_status = 409

    def __init__(self, request: dict[str, Any]) -> None:
        named = request["requested_device"]
        what = f"{named} is taken" if named else "no device that fits is free"
        super().__init__(
            f"{what}; request {request['id']} has failed", field="device" if named else "max_wait"
        )
        self.extra = {"request": request}


class OpenFilter(ChoiceFilter):  # type: ignore[misc]
    """`true` for requests that live, `false` for those that have ended."""

    def __init__(self) -> None:
        super().__init__(choices=(("true", "true"), ("false", "false")))


class RequestFilters(FilterSet):  # type: ignore[misc]
    """What requests can be narrowed down by."""

    state = ChoiceFilter(choices=[(name, name) for name in REQUEST.stored()])
    open = OpenFilter()
    owner = CharFilter(max_length=_LONGEST, help_text="Who filed them; `me` is who calls.")
    assignee = CharFilter(max_length=_LONGEST)
    image = NameFilter(Image, field_name="image")
    device = CharFilter(max_length=253, help_text="They named it, hold it, or held it last.")
    environment = CharFilter(max_length=64)
    tag = CharFilter(max_length=64, help_text="One of the tags that they ask for.")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow down. Raises InvalidInputError for an order that no index has, slow after years."""
        given = {name: value for name, value in self.form.cleaned_data.items() if value}
        open_ = {"true": True, "false": False}.get(given.pop("open", ""))
        state = given.get("state", "")
        conditions = {name: self._condition(name, value) for name, value in given.items()}
        by_number = str(self.data.get("ordering", "id")).removeprefix("-") == "id"
        if not by_number and not lists.serves_any_order(conditions, state=state, open_=open_):
            raise InvalidInputError(
                f"ordering: with {min(given)} by id alone, unless together with open=true or device",
                field="ordering",
            )
        return lists.narrowed(conditions, state=state, open_=open_)

    def _condition(self, name: str, value: str) -> Any:
        if name == "owner":
            return self._owned(value)
        if name == "device":
            return _of_device(value)
        if name == "tag":
            return Q(tag_rows__tag=value)
        return self.filters["image"].condition(value) if name == "image" else Q(**{name: value})

    def _owned(self, value: str) -> Q:
        """Select what somebody filed. Old clients share theirs, for addresses change hands."""
        caller = cast("Caller", self.request.auth)
        if value == "me" and caller.by_network:
            return Q(owner__startswith=LEGACY)
        return Q(owner=caller.name if value == "me" else value)


def _of_device(name: str) -> Q:
    """Select what named a device, holds it, or held it last. Raises InvalidInputError where there is no such device."""
    pk = Device.objects.filter(name=name).values_list("pk", flat=True).first()
    if pk is None:
        raise InvalidInputError(f"there is no device {name[:63]!r}", field="device")
    return Q(requested_device=pk) | Q(last_device=pk)


class RequestViewSet(Resource):
    """The requests."""

    queryset = Request.objects.all()
    serializer_class = RequestSerializer
    filterset_class = RequestFilters
    columns = COLUMNS
    orderings = ("-id", "expires", "created")
    word, lookup_field = "request", "id"
    least = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "create": Role.REQUESTER,
        "renew": Role.REQUESTER,
        "give_back": Role.REQUESTER,
        "journal": Role.VIEWER,
    }
    parameters = {"retrieve": frozenset({"wait", "state_seq"}), "journal": keyset.PARAMETERS}

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write requests as the caller sees them."""
        return entries(rows, self.caller)

    def page(self, queryset: QuerySet[Any]) -> keyset.Page:
        """Read the page that is asked for."""
        inner = self.request._request  # noqa: SLF001 - the page needs no more than Django's request
        return keyset.take_keys_first(queryset, inner, self.orderings, COLUMNS)

    def one(self, key: str) -> QuerySet[Request]:
        """Select a request by its number."""
        number = row_id(key)
        return Request.objects.none() if number is None else Request.objects.filter(pk=number)

    @extend_schema(parameters=[*_WAIT])
    def retrieve(self, request: Call, **parts: str) -> HttpResponse:
        """Give one; with `wait`, when its state changes or the time is up."""
        read_waiting(request.query_params)
        return answer(self.entry(parts["id"]), request._request)  # noqa: SLF001 - headers are all that it needs

    @extend_schema(
        request=OrderSerializer,
        responses={201: RequestSerializer, 404: _UNKNOWN, 422: _IMPOSSIBLE},
        parameters=[_KEY],
    )
    def create(self, request: Call) -> HttpResponse:
        """File a request: 409 with the request when it waits for no device and none was free."""
        body: Any = request.data  # an object: bodies.py reads nothing else
        filing = read_filing(request.headers.get("Idempotency-Key"), body, self.caller)
        filed, replayed = services.filed_before(filing), True
        if filed is None:
            order = read_order(body, self.caller)
            filed, replayed = services.file_once(order, by=self.caller.actor, filing=filing)
        entry = entry_of(filed.pk, self.caller)
        if filed.state in _IN_VAIN and filed.matched_at is None and filed.waits_until <= filed.created:
            raise NothingFreeError(entry)
        headers = {"Location": entry["url"]} | ({"Idempotent-Replayed": "true"} if replayed else {})
        return self.reply(entry, 201, headers)

    @extend_schema(request=DurationSerializer, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def renew(self, request: Call, **parts: str) -> HttpResponse:
        """Set the seconds left, counted from now. 409 when it has ended."""
        number = self._own(parts["id"])
        serializer = DurationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        services.renew(number, serializer.validated_data["duration"], by=self.caller.actor)
        return self.reply(entry_of(number, self.caller))

    @extend_schema(request=None, responses=RequestSerializer)
    @action(detail=True, methods=["post"], url_path="return", url_name="return")
    def give_back(self, request: Call, **parts: str) -> HttpResponse:
        """Give the device back; again is fine."""
        number = self._own(parts["id"])
        services.return_request(number, by=self.caller.actor)
        return self.reply(entry_of(number, self.caller))

    @extend_schema(responses=JournalSerializer(many=True), filters=False)
    @action(detail=True)
    def journal(self, request: Call, **parts: str) -> HttpResponse:
        """Give what happened to it, and to its device while it held one; the oldest first."""
        number = self._found(parts["id"]).pk
        inner = request._request  # noqa: SLF001 - the page needs no more than Django's request
        page = keyset.take(Journal.objects.filter(request_id=number), inner, ("time",), LINE)
        return self.reply({"next": page.following, "previous": page.preceding, "results": lines(page.rows)})

    def _found(self, key: str) -> Request:
        request = self.one(key).first()
        if request is None:
            raise UnknownNameError(f"there is no request {key[:63]!r}", field="id")
        return request

    def _own(self, key: str) -> int:
        request = self._found(key)
        demand_ownership(self.caller, request)
        return request.pk


urlpatterns: list[URLPattern] = resource("requests", RequestViewSet)
