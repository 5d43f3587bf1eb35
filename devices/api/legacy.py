"""The legacy API's view of a single device: its state, and its log. The contract is frozen."""

import re
from collections.abc import Iterable

from django.http import HttpResponse

from devices.listing import device_named, lines_of_device
from devices.models import Journal
from devices.models.journal import Source
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import MASK, answer, stamp

# Lines that `status` shows.
LAST = 100
# Seconds that a client which asked for `?cache` may keep a state.
_MAX_AGE = 5
# Sources by the names that old clients know; the others are called as they are.
_OLD_SOURCES = {Source.MACHINE.value: "statemachine", Source.AGENT.value: "sut"}
# The line of a device that is given an image tells what is to be built on it.
_BOOT_CONFIG = re.compile(r"(?<=boot config to ).*", re.DOTALL)


def log_entries(lines: Iterable[Journal], *, masked: bool = False) -> list[dict[str, object]]:
    """Write journal lines as the legacy log shows them; `masked`: without boot configs."""
    return [
        {
            "id": line.pk,
            "timestamp": stamp(line.time),
            "source": _OLD_SOURCES.get(line.source, line.source),
            "message": _BOOT_CONFIG.sub(MASK, line.message) if masked else line.message,
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
    """Give a device's state and the end of its log; boot configs in it are for operators."""
    device = device_named(name)
    masked = not call.caller.may(Role.OPERATOR)
    return answer(
        {"state": device.state, "log": log_entries(lines_of_device(device.pk, LAST), masked=masked)}
    )


urlpatterns = [
    *with_and_without_slash("device/<str:name>/state", state),
    *with_and_without_slash("device/<str:name>/status", status),
]
