"""The legacy API's view of a single device: its state, and its log. The contract is frozen."""

from collections.abc import Iterable

from django.http import HttpResponse

from devices.listing import device_named, lines_of_device
from devices.models import Journal
from devices.models.journal import Source
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import answer, stamp

# Lines that `status` shows.
LAST = 100
# Seconds that a client which asked for `?cache` may keep a state.
_MAX_AGE = 5
# Sources by the names that old clients know; the others are called as they are.
_OLD_SOURCES = {Source.MACHINE.value: "statemachine", Source.AGENT.value: "sut"}


def log_entries(lines: Iterable[Journal]) -> list[dict[str, object]]:
    """Write journal lines as the legacy log shows them."""
    return [
        {
            "id": line.pk,
            "timestamp": stamp(line.time),
            "source": _OLD_SOURCES.get(line.source, line.source),
            "message": line.message,
        }
        for line in lines
    ]


@endpoint(*READ, least=Role.VIEWER)
def state(call: Call, name: str) -> HttpResponse:
    """Give a device's state, always as the row says; `?cache` lets the client keep it for a while."""
    response = answer({"state": device_named(name).state})
    if call.asks_for("cache"):
        response["Cache-Control"] = f"public, max-age={_MAX_AGE}"
    return response


@endpoint(*READ, least=Role.VIEWER)
def status(call: Call, name: str) -> HttpResponse:
    """Give a device's state and the end of its log."""
    device = device_named(name)
    return answer({"state": device.state, "log": log_entries(lines_of_device(device.pk, LAST))})


urlpatterns = [
    *with_and_without_slash("device/<str:name>/state", state),
    *with_and_without_slash("device/<str:name>/status", status),
]
