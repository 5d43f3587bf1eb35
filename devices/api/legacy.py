"""The legacy API: a device's state, log and notes; images; environments. The contract is frozen."""

from collections.abc import Iterable
from datetime import timedelta

from django.http import HttpResponse

from devices import services
from devices.listing import device_named, environments, lines_of_device
from devices.models import Image, Journal
from devices.models.image import OWN_IMAGES, Verification
from devices.models.journal import Source
from devices.snapshots import remembered_state, state_of
from mozpool_site import clock
from mozpool_site.api.access import Role
from mozpool_site.api.endpoint import READ, WRITE, Call, endpoint, with_and_without_slash
from mozpool_site.api.legacy import answer, number_in_query, stamp
from mozpool_site.errors import InvalidInputError

# Lines that `status` shows.
LAST = 100
# Lines that `log` shows at most: a busy device of a fortnight, in one answer of a megabyte.
LONGEST_LOG = 10_000
# Seconds that `timeperiod` may reach back: a century.
_LONGEST_PERIOD = 100 * 365 * 24 * 3600
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
    """Give a device's state, as the row says; with `?cache` as this process knew it 5 s ago or later."""
    if not call.asks_for("cache"):
        return answer({"state": state_of(name)})
    state, seconds_left = remembered_state(name)
    response = answer({"state": state})
    response["Cache-Control"] = f"private, max-age={int(seconds_left)}"
    return response


@endpoint(*READ, least=Role.VIEWER)
def status(call: Call, name: str) -> HttpResponse:
    """Give a device's state and the end of its log."""
    device = device_named(name)
    return answer({"state": device.state, "log": log_entries(lines_of_device(device.pk, LAST))})


@endpoint(*READ, least=Role.VIEWER)
def log(call: Call, name: str) -> HttpResponse:
    """Give a device's log, the oldest line first: the last `?limit`, and of the last `?timeperiod` seconds only."""
    limit = number_in_query(call, "limit", LONGEST_LOG) or LONGEST_LOG
    period = number_in_query(call, "timeperiod", _LONGEST_PERIOD)
    device = device_named(name)
    since = None if period is None else clock.now() - timedelta(seconds=period)
    return answer({"log": log_entries(lines_of_device(device.pk, limit, since))})


@endpoint(*WRITE, least=Role.OPERATOR)
def set_comments(call: Call, name: str) -> HttpResponse:
    """Store what is noted about a device, verbatim."""
    comments = _text(call, "comments")
    services.set_comments(device_named(name).pk, comments, by=call.caller.actor)
    return answer(None)


@endpoint(*WRITE, least=Role.OPERATOR)
def set_environment(call: Call, name: str) -> HttpResponse:
    """Let a device serve another environment."""
    environment = _text(call, "environment")
    services.set_environment(device_named(name).pk, environment, by=call.caller.actor)
    return answer(None)


@endpoint(*READ, least=Role.VIEWER)
def image_list(call: Call) -> HttpResponse:
    """List the images that can be requested and are not hidden, by number."""
    images = Image.objects.filter(hidden=False).exclude(name__in=OWN_IMAGES).order_by("pk")
    columns = ("id", "name", "boot_config_keys", "reusable", "hidden", "verification")
    return answer(
        {
            "images": [
                {
                    "id": pk,
                    "name": name,
                    "boot_config_keys": keys,
                    "can_reuse": reusable,
                    "hidden": hidden,
                    "has_sut_agent": verification == Verification.AGENT,
                }
                for pk, name, keys, reusable, hidden, verification in images.values_list(*columns)
            ]
        }
    )


@endpoint(*READ, least=Role.VIEWER)
def environment_list(call: Call) -> HttpResponse:
    """List the environments that have a device."""
    return answer({"environments": environments()})


def _text(call: Call, key: str) -> str:
    """Give a text as it was sent; it may be empty, but not missing."""
    value = call.body.get(key)
    if not isinstance(value, str):
        what = "a text expected" if key in call.body else "it is missing"
        raise InvalidInputError(f"{key}: {what}", field=key)
    return value


urlpatterns = [
    *with_and_without_slash("device/<str:name>/state", state),
    *with_and_without_slash("device/<str:name>/status", status),
    *with_and_without_slash("device/<str:name>/log", log),
    *with_and_without_slash("device/<str:name>/set-comments", set_comments),
    *with_and_without_slash("device/<str:name>/set-environment", set_environment),
    *with_and_without_slash("image/list", image_list),
    *with_and_without_slash("environment/list", environment_list),
]
