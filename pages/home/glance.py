"""The pool at a glance: what each layer has to do, who waits, and what failed in the last day.

Read once for all open pages: what moves each half second, the rest less often.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db.models import Count, Min, Q, Value
from django.utils import timezone

from bmm.models import OPEN, Operation, Status
from devices.models import PowerController
from devices.models.power_controller import SILENT, suspect
from devices.models.rack import pulse_is_silent
from lifeguard.models import Install
from mozpool_site import clock
from mozpool_site.by_row import by_row
from pages.families import FAILED, FAMILIES, REQUEST_FAMILIES, Family, family, request_family
from pages.home.shapes import Broke, Day, Devices, Glance, Hardware, Requests, Share, Waits
from pages.racks.queries import racks_in_order
from pages.shell.pool import Pool, pool
from requests_app.memory import Memory
from requests_app.models import Request
from requests_app.waiting.why import COLUMNS, explain

T = TypeVar("T")

LATELY = timedelta(days=1)
# Where the families of requests are listed: each has one state while it is open.
_LISTED = {
    "waiting": "/requests/?state=finding_device",
    "preparing": "/requests/?state=pending",
    "ready": "/requests/?state=ready",
}
# Rows of each list; the rest is a click away.
_ROWS, _WAITING_ROWS = 8, 6


def _day(now: datetime) -> Day:
    since = now - LATELY
    requests = Request.objects.order_by()
    # Each by its own index: to ask for one or the other reads all requests.
    filed = requests.filter(created__gte=since).annotate(told=Value("")).values_list("told")
    failed = requests.filter(by_row(Q(state__startswith="failed_")), ended__gte=since)
    each = failed.annotate(n=Value(1)).values_list("state", "n")
    counted: Counter[str] = Counter()
    for state, n in filed.annotate(n=Count("pk")).union(each, all=True):
        counted[state] += n
    number = counted.pop("", 0)
    installs = Install.objects.filter(finished__gte=since).order_by()
    images = installs.values_list("image__name").annotate(
        tried=Count("pk"), failed=Count("pk", filter=Q(succeeded=False))
    )
    by_image = list(images.order_by("-failed", "image__name"))
    return Day(
        number,
        tuple(sorted(counted.items(), key=lambda one: (-one[1], one[0]))),
        sum(tried for _, tried, _ in by_image),
        sum(failed for *_, failed in by_image),
        tuple((name, failed) for name, _, failed in by_image[:3] if failed),
    )


def _requests(waiting: tuple[Waits, ...]) -> Requests:
    open_ = Request.objects.filter(ended=None).order_by()
    numbers: Counter[str] = Counter()
    longest = None
    for state, number, first in open_.values_list("state").annotate(number=Count("pk"), first=Min("created")):
        numbers[request_family(state)] += number
        if request_family(state) == "waiting":
            longest = first
    families = [REQUEST_FAMILIES[name] for name in ("waiting", "preparing", "ready")]
    return Requests(shares(families, numbers, _LISTED), longest, waiting)


def _waiting(now: datetime) -> tuple[Waits, ...]:
    line = Request.objects.filter(state="finding_device").order_by("turn", "pk")
    rows = list(line.values(*COLUMNS, "created", "waits_until", "assignee", "image__name")[:_WAITING_ROWS])
    why = explain(rows, {}, now)
    return tuple(_waits_for(row, why) for row in rows)


def _waits_for(row: Mapping[str, Any], why: Mapping[int, Any]) -> Waits:
    told = why[row["pk"]]
    return Waits(
        row["pk"], row["assignee"], row["image__name"], row["created"], row["waits_until"], told.detail,
        told.estimate_seconds,
    )  # fmt: skip


def _devices(now: Pool, since: datetime) -> Devices:
    numbers = Counter(family(one.state, held=one.held_by is not None) for one in now.devices.values())
    broke = sorted(
        (Broke(name, one.state, one.since) for name, one in now.devices.items()
         if one.since >= since and family(one.state) == FAILED.name),
        key=lambda one: one.since, reverse=True,
    )  # fmt: skip
    listed = tuple(broke[:_ROWS])
    return Devices(
        shares(list(FAMILIES.values()), numbers, {}), len(now.devices), listed, len(broke) - len(listed)
    )


def _hardware(now: datetime) -> Hardware:
    work = Operation.objects.filter(status__in=OPEN).order_by()
    by_status = {
        row[0]: row[1:] for row in work.values_list("status").annotate(n=Count("pk"), due=Min("not_before"))
    }
    queued, due = by_status.get(Status.QUEUED, (0, None))
    controllers = PowerController.objects.aggregate(
        all=Count("pk", distinct=True),
        suspect=Count("pk", filter=suspect(now), distinct=True),
        silent=Count("pk", filter=SILENT, distinct=True),
        by_hand=Count("hand_tasks", filter=Q(hand_tasks__open_for__isnull=False), distinct=True),
    )
    racks = tuple(racks_in_order())
    return Hardware(
        queued,
        by_status.get(Status.RUNNING, (0, None))[0],
        due if due is not None and due <= now else None,
        controllers["all"],
        controllers["suspect"],
        controllers["silent"],
        controllers["by_hand"],
        racks,
        frozenset(rack.pk for rack in racks if pulse_is_silent(rack.pulse_seen, now)),
    )


def shares(
    families: list[Family], numbers: Mapping[str, int], listed: Mapping[str, str]
) -> tuple[Share, ...]:
    """Lay families out along a bar of 1000 units; the smallest that has any is still seen."""
    total = sum(numbers.get(one.name, 0) for one in families)
    made: list[Share] = []
    begin = 0.0
    for one in families:
        number = numbers.get(one.name, 0)
        width = 1000 * number / total if total else 0
        wide = max(round(begin + width) - round(begin), 4 if number else 0)
        link = listed.get(one.name, f"/devices/?family={one.name}")
        made.append(Share(one, number, link, round(begin), wide))
        begin += width
    return tuple(made)


@dataclass
class _Remembered(Generic[T]):
    """A part of the glance that is read less often than the rest."""

    read: Callable[[datetime], T]
    seconds: float
    known: T | None = None
    until: float = 0.0

    def get(self, now: datetime) -> T:
        """Give what is known; read what never was."""
        if self.known is None:
            self.known, self.until = self.read(now), time.monotonic() + self.seconds
        return self.known


_waits = _Remembered(_waiting, 1.0)
_below = _Remembered(_hardware, 1.0)
_lately = _Remembered(_day, 10.0)
_PARTS: tuple[_Remembered[Any], ...] = (_waits, _below, _lately)


def _read(_: datetime) -> Glance:
    now = clock.now()
    # One part at a time, so that no single page pays for all of them.
    overdue = min(_PARTS, key=lambda part: part.until)
    if overdue.until < time.monotonic():
        overdue.known = None
        overdue.get(now)
    return Glance(
        _requests(_waits.get(now)), _devices(pool.get(now), now - LATELY), _below.get(now), _lately.get(now)
    )


# The pool as it is, half a second old.
glance: Memory[Glance] = Memory(_read, 0.5)


def forget() -> None:
    """Read anew the next time."""
    glance.forget()
    for part in _PARTS:
        part.known = None


def at_a_glance() -> Glance:
    """Give the pool at a glance."""
    return glance.get(timezone.now())
