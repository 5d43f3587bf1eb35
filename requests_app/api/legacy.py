"""The legacy API's requests: file, look, renew, return. Frozen, but for the contract's table of differences."""

from collections.abc import Callable
from datetime import timedelta

from django.db.models import Q
from django.http import HttpResponse

from devices.api.legacy import LAST, log_entries
from devices.listing import lines_of_request
from lifeguard.api.events import check_name
from mozpool_site import clock
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import answer, nothing
from mozpool_site.api.values import row_id, seconds
from mozpool_site.errors import InvalidInputError, UnknownNameError
from requests_app import services
from requests_app.api.orders import read_order
from requests_app.api.ownership import demand_ownership, owns
from requests_app.api.rendering import list_entries, request_object
from requests_app.models import Request
from requests_app.states import REQUEST

# Lines that `log` shows: more than a request of a month with an hourly move.
_LONGEST_LOG = 10_000
_FAILED = REQUEST.tagged("failed")
_FAILED_FOR = timedelta(days=1)

BadNumber = Callable[[str], InvalidInputError | UnknownNameError]


@endpoint(*WRITE, least=Role.REQUESTER)
def file(call: Call, name: str) -> HttpResponse:
    """File a request for a device by name, or for `any`; 409 when the named one is taken."""
    request = services.file_request(read_order(call.body, name), by=call.caller.actor)
    rendered = request_object(request, may_read=True, just_filed=True)
    if request.state == "failed_device_busy":
        detail = f"{name} is taken; request {request.pk} has failed"
        return answer({"error": "conflict", "detail": detail, "field": "device", "request": rendered}, 409)
    return answer({"request": rendered})


@endpoint(*READ, least=Role.VIEWER)
def listing(call: Call) -> HttpResponse:
    """List requests by number: those that are open, or have failed in the last day; all only when asked for."""
    requests = Request.objects.order_by("pk")
    if not call.asks_for("include_closed"):
        failed = Q(ended__gte=clock.DB_NOW - _FAILED_FOR, state__in=_FAILED)
        requests = requests.filter(Q(ended=None) | failed)
    return answer({"requests": list_entries(requests, lambda owner: owns(call.caller, owner))})


@endpoint(*READ, least=Role.VIEWER)
def details(call: Call, number: str) -> HttpResponse:
    """Give a request, bare."""
    request = _find(number, _no_number)
    return answer(request_object(request, may_read=owns(call.caller, request.owner)))


@endpoint(*READ, least=Role.VIEWER)
def status(call: Call, number: str) -> HttpResponse:
    """Give a request's state and the end of its log."""
    request = _find(number, _unknown)
    return answer({"state": request.state, "log": log_entries(lines_of_request(request.pk, LAST))})


@endpoint(*READ, least=Role.VIEWER)
def log(call: Call, number: str) -> HttpResponse:
    """Give a request's log."""
    request = _find(number, _unknown)
    return answer({"log": log_entries(lines_of_request(request.pk, _LONGEST_LOG))})


@endpoint(*WRITE, least=Role.REQUESTER)
def renew(call: Call, number: str) -> HttpResponse:
    """Set the seconds left, counted from now."""
    request = _find(number, _no_number)
    demand_ownership(call.caller, request)
    services.renew(request.pk, seconds(call.body, "duration"), by=call.caller.actor)
    return nothing()


@endpoint(*WRITE, least=Role.REQUESTER)
def give_back(call: Call, number: str) -> HttpResponse:
    """Give the device back; again is fine."""
    request = _find(number, _unknown)
    demand_ownership(call.caller, request)
    services.return_request(request.pk, by=call.caller.actor)
    return nothing()


@endpoint(*WRITE, least=Role.REQUESTER, changes_by_get=True)
def event(call: Call, number: str, event: str) -> HttpResponse:
    """Journal an event, as ignored: what moves a request has its own paths. A GET is for trusted networks only."""
    request = _find(number, _unknown)
    demand_ownership(call.caller, request)
    check_name(event)
    services.note_foreign_event(request.pk, event, by=call.caller.actor)
    return answer({})


def _find(number: str, bad: BadNumber) -> Request:
    """Give a request by the number in a path; what is no number raises what `bad` makes of it."""
    if not (number.isascii() and number.isdigit()):
        raise bad(number)
    pk = row_id(number)
    requests = Request.objects.select_related("image", "requested_device")
    request = None if pk is None else requests.filter(pk=pk).first()
    if request is None:
        raise _unknown(number)
    return request


def _no_number(number: str) -> InvalidInputError:
    return InvalidInputError(f"the number of a request expected, got {number[:40]!r}", field="request")


def _unknown(number: str) -> UnknownNameError:
    return UnknownNameError(f"there is no request {number[:40]}", field="request")


urlpatterns = [
    *with_and_without_slash("device/<str:name>/request", file),
    *with_and_without_slash("request/list", listing),
    *with_and_without_slash("request/<str:number>/details", details),
    *with_and_without_slash("request/<str:number>/status", status),
    *with_and_without_slash("request/<str:number>/log", log),
    *with_and_without_slash("request/<str:number>/renew", renew),
    *with_and_without_slash("request/<str:number>/return", give_back),
    *with_and_without_slash("request/<str:number>/event/<str:event>", event),
]
