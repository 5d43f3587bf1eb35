"""What statistics read: eight queries that count in the database, each bounded by an index on the time it is about.

Nothing here reads the journal: requests, installations and operations have rows of their own, and those are enough.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Value, Window
from django.db.models.functions import Coalesce, Greatest, Least, RowNumber

from bmm.models import Operation, Status
from bmm.operations import POWER_KINDS, Answer
from devices.models import Device
from lifeguard.models import Install
from pages.charts.percentiles import Spread
from pages.statistics.busy import Uses, seconds_in_use
from pages.statistics.periods import Period
from pages.statistics.sql import seconds_between, seconds_into, slot_of
from requests_app.models import Request

# Of each day's times these are told: the middle, and where nine of ten were done. In per cent.
_HALF, _MOST = 50, 90
# Of devices, images and controllers the worst so many.
WORST = 12

# Name, what failed by kind, how many there were of all.
Failures = list[tuple[str, tuple[int, ...], int]]


def pool() -> Mapping[tuple[int, str, str], int]:
    """Count the devices there are by their rack's id, its name, and their environment."""
    places = Device.objects.order_by().values_list("rack_id", "rack__name", "environment")
    return {
        (rack, name, environment): number
        for rack, name, environment, number in places.annotate(n=Count("pk"))
    }


def spreads(period: Period, environment: str, of: str, begin: str, end: str) -> list[Spread | None]:
    """Give how the seconds from `begin` to `end` spread, by the slot that the column `of` is in."""
    requests = _of(environment).filter(
        **{f"{of}__gte": period.since, f"{of}__lt": period.until, f"{begin}__lte": F(end)}
    )
    ranked = requests.order_by().annotate(
        slot=slot_of(period, seconds_into(period, F(of))), seconds=seconds_between(begin, end)
    ).annotate(
        rank=Window(RowNumber(), partition_by=F("slot"), order_by=F("seconds").asc()),
        number=Window(Count("pk"), partition_by=F("slot")),
    )  # fmt: skip
    told = ranked.filter(_at(_HALF) | _at(_MOST)).values_list("slot", "number", "rank", "seconds")
    return _spreads(period, list(told))


def _at(percent: int) -> Q:
    """Select the row of a slot that so many per cent of its rows are not above, itself among them."""
    return Q(rank__gte=F("number") * percent / 100.0, rank__lt=F("number") * percent / 100.0 + 1)


def _spreads(period: Period, told: Sequence[tuple[int, int, int, int]]) -> list[Spread | None]:
    found: list[Spread | None] = [None] * period.number
    times: dict[int, list[int]] = {}
    numbers: dict[int, int] = {}
    for slot, number, _, seconds in told:
        times.setdefault(slot, []).append(seconds)
        numbers[slot] = number
    for slot, seconds_told in times.items():
        found[slot] = Spread(numbers[slot], min(seconds_told), max(seconds_told))
    return found


def outcomes(period: Period, environment: str) -> list[tuple[int, int, int]]:
    """Count the requests that ended in each slot: served, given up before they were, failed."""
    ended = _of(environment).filter(ended__gte=period.since, ended__lt=period.until).order_by()
    closed = Q(state="closed")
    rows = ended.values(slot=slot_of(period, seconds_into(period, F("ended")))).annotate(
        served=Count("pk", filter=closed & Q(ready_at__isnull=False)),
        left=Count("pk", filter=closed & Q(ready_at__isnull=True)),
        failed=Count("pk", filter=~closed),
    )
    found = [(0, 0, 0)] * period.number
    for row in rows:
        found[row["slot"]] = (row["served"], row["left"], row["failed"])
    return found


def use(period: Period, environment: str, now: datetime) -> Mapping[tuple[int, str], list[float]]:
    """Give the seconds for which devices were held in each slot, by their rack's id and environment."""
    end = min(period.until, now)
    held = Request.objects.filter(
        Q(ended=None) | Q(ended__gt=period.since), matched_at__lt=end, last_device__isnull=False
    )
    if environment:
        held = held.filter(last_device__environment=environment)
    uses = held.order_by().annotate(
        begin=seconds_into(period, Greatest(F("matched_at"), Value(period.since))),
        end=seconds_into(period, Least(Coalesce(F("ended"), Value(end)), Value(end))),
    )  # fmt: skip
    cells = uses.values(
        "last_device__rack_id", "last_device__environment",
        first=slot_of(period, F("begin")), last=slot_of(period, F("end")),
    ).annotate(number=Count("pk"), begins=Sum("begin"), ends=Sum("end"))  # fmt: skip
    return seconds_in_use((_uses(row) for row in cells), period)


def _uses(row: Mapping[str, Any]) -> Uses:
    place = (row["last_device__rack_id"], row["last_device__environment"])
    return Uses(place, row["first"], row["last"], row["number"], int(row["begins"]), int(row["ends"]))


def failed_installs(period: Period, environment: str, what: str) -> Failures:
    """Give the worst of all devices or images (`what`: the column with their name), by installations that failed."""
    installs = Install.objects.filter(finished__gte=period.since, finished__lt=period.until).order_by()
    if environment:
        installs = installs.filter(device__environment=environment)
    rows = installs.values(what).annotate(total=Count("pk"), bad=Count("pk", filter=Q(succeeded=False)))
    worst = rows.filter(bad__gt=0).order_by("-bad", what)[:WORST]
    return [(row[what], (row["bad"],), row["total"]) for row in worst]


def failed_power(period: Period, environment: str) -> Failures:
    """Give the worst power controllers by what failed: outlets that did not switch, and no answer at all."""
    failed = Operation.objects.filter(
        status=Status.FAILED, kind__in=POWER_KINDS, finished__gte=period.since, finished__lt=period.until
    ).exclude(controller=None)  # fmt: skip
    if environment:
        failed = failed.filter(device__environment=environment)
    silent = Q(result=Answer.UNREACHABLE)
    rows = failed.order_by().values("controller__name").annotate(
        total=Count("pk"), wrong=Count("pk", filter=~silent), silent=Count("pk", filter=silent)
    )  # fmt: skip
    worst = rows.order_by("-total", "controller__name")[:WORST]
    return [(row["controller__name"], (row["wrong"], row["silent"]), row["total"]) for row in worst]


def _of(environment: str) -> QuerySet[Request]:
    """Select the requests of an environment: those with a device of it, or that asked for it and never had one."""
    requests = Request.objects.all()
    if not environment:
        return requests
    mine = Q(last_device__environment=environment) | Q(last_device=None, environment=environment)
    return requests.filter(mine)
