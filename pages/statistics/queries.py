"""What statistics read: queries that count in the database, each bounded by an index on the time it is about.

Where days and hours of the period are kept added up, all but `times` read only what came after: from `kept.until` on.

Nothing here reads the journal: requests, installations and operations have rows of their own, and those are enough.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest, Least

from bmm.models import Operation, Status
from bmm.operations import POWER_KINDS, Answer
from devices.models import Device, PowerController
from lifeguard.models import FAILED, Install
from pages.statistics.busy import Uses, seconds_in_use
from pages.statistics.kept import Kept
from pages.statistics.periods import Period
from pages.statistics.sql import seconds_into, slot_of
from pages.statistics.times import Course, Times, times_of
from requests_app.models import Request

# So many requests tell how long things take: more would cost seconds, and change nothing that can be seen.
SAMPLE = 8_000
# Requests that end in a period may have been filed before it; hardly any longer before.
_IN_USE_BEFORE = timedelta(days=2)
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


def times(period: Period, environment: str) -> Times:
    """Give how long requests took; of very many, those with every so-manieth number."""
    begin = period.since - _IN_USE_BEFORE
    sampled = _of(environment).filter(created__gte=begin, created__lt=period.until).order_by()
    filed = _filed(begin, period.until)
    step = -(-len(filed) // SAMPLE)
    if step > 1:
        # By their numbers: to judge each request would read all of them.
        numbers = range(-(-filed.start // step) * step, filed.stop, step)
        sampled = _of(environment).filter(pk__in=list(numbers)).order_by()
    moments = (seconds_into(period, F(name)) for name in ("created", "matched_at", "ready_at", "ended"))
    return times_of((Course(*row) for row in sampled.values_list(*moments)), period, step)


def _filed(begin: datetime, end: datetime) -> range:
    """Return the numbers of the requests filed between two moments: they are given in the order of filing."""
    filed = Request.objects.filter(created__gte=begin, created__lt=end)
    first, last = (
        Subquery(filed.order_by(*order).values("pk")[:1])
        for order in (("created", "pk"), ("-created", "-pk"))
    )
    # Asked of one row, each of the two is one step into the index.
    ends = Request.objects.order_by("pk").values_list(first, last)[:1]
    numbers = [number for row in ends for number in row if number is not None]
    return range(min(numbers), max(numbers) + 1) if numbers else range(1)


def outcomes(period: Period, environment: str, kept: Kept) -> list[tuple[int, int, int]]:
    """Count the requests that ended in each slot: served, given up before they were, failed."""
    ended = _of(environment).filter(ended__gte=kept.until, ended__lt=period.until).order_by()
    closed = Q(state="closed")
    rows = ended.values(slot=slot_of(period, seconds_into(period, F("ended")))).annotate(
        served=Count("pk", filter=closed & Q(ready_at__isnull=False)),
        left=Count("pk", filter=closed & Q(ready_at__isnull=True)),
        failed=Count("pk", filter=~closed),
    )
    found = list(kept.outcomes)
    for row in rows:
        served, left, failed = found[row["slot"]]
        found[row["slot"]] = (served + row["served"], left + row["left"], failed + row["failed"])
    return found


def use(period: Period, environment: str, kept: Kept, now: datetime) -> Mapping[tuple[int, str], list[float]]:
    """Give the seconds for which devices were held in each slot, by their rack's id and environment."""
    end = min(period.until, now)
    held = Request.objects.filter(
        Q(ended=None) | Q(ended__gte=kept.until), matched_at__lt=end, last_device__isnull=False
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
    return seconds_in_use(chain(kept.uses, (_uses(row) for row in cells)), period)


def _uses(row: Mapping[str, Any]) -> Uses:
    place = (row["last_device__rack_id"], row["last_device__environment"])
    return Uses(place, row["first"], row["last"], row["number"], int(row["begins"]), int(row["ends"]))


def failed_on_devices(period: Period, environment: str, kept: Kept) -> Failures:
    """Give the worst devices by installations that failed, each with how many there were; two queries.

    All installations are looked at for those devices only: there are many, and few of them fail.
    """
    since_kept = _installs(kept.until, period, environment).filter(FAILED)
    rows = since_kept.values("device__name").annotate(bad=Count("pk")).values_list("device__name", "bad")
    worst = _worst(kept.devices + Counter(dict(rows)))
    tried = _installs(period.since, period, environment).filter(device__name__in=[name for name, _ in worst])
    totals = dict(
        tried.values("device__name").annotate(total=Count("pk")).values_list("device__name", "total")
    )
    return [(name, (bad,), max(bad, totals.get(name, 0))) for name, bad in worst]


def failed_images(period: Period, environment: str, kept: Kept) -> Failures:
    """Give the worst images by installations that failed, each with how many there were."""
    rows = _installs(kept.until, period, environment).values("image__name").annotate(
        total=Count("pk"), bad=Count("pk", filter=Q(succeeded=False))
    )  # fmt: skip
    failed, tried = Counter(kept.images), Counter(kept.tried)
    for name, bad, total in rows.values_list("image__name", "bad", "total"):
        failed[name] += bad
        tried[name] += total
    return [(name, (bad,), tried[name]) for name, bad in _worst(failed)]


def _worst(failed: Mapping[str, int]) -> list[tuple[str, int]]:
    ordered = sorted(failed.items(), key=lambda item: (-item[1], item[0]))
    return [(name, bad) for name, bad in ordered[:WORST] if bad]


def _installs(since: datetime, period: Period, environment: str) -> QuerySet[Install]:
    installs = Install.objects.filter(finished__gte=since, finished__lt=period.until).order_by()
    return installs.filter(device__environment=environment) if environment else installs


def failed_power(period: Period, environment: str) -> Failures:
    """Give the worst power controllers by what failed: outlets that did not switch, and no answer at all."""
    lately = Operation.objects.filter(finished__gte=period.since, finished__lt=period.until)
    failed = lately.filter(status=Status.FAILED, kind__in=POWER_KINDS, controller__isnull=False)
    if environment:
        failed = failed.filter(device__environment=environment)
    silent = Q(result=Answer.UNREACHABLE)
    # Not by a join: the database would begin with all controllers.
    named = PowerController.objects.filter(pk=OuterRef("controller")).values("name")
    rows = failed.order_by().values(name=Subquery(named)).annotate(
        total=Count("pk"), wrong=Count("pk", filter=~silent), silent=Count("pk", filter=silent)
    )  # fmt: skip
    worst = rows.order_by("-total", "name")[:WORST]
    return [(row["name"], (row["wrong"], row["silent"]), row["total"]) for row in worst]


def _of(environment: str) -> QuerySet[Request]:
    """Select the requests of an environment: those with a device of it, or that asked for it and never had one."""
    requests = Request.objects.all()
    if not environment:
        return requests
    mine = Q(last_device__environment=environment) | Q(last_device=None, environment=environment)
    return requests.filter(mine)
