"""The pool at a glance: what each layer has to do, who waits, and what failed in the last day.

Read once for all open pages: what moves each half second, why requests wait each second, the day each ten.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q
from django.utils import timezone

from bmm.models import OPEN, HandTask, Operation, Status
from devices.models import PowerController
from lifeguard.models import Install
from mozpool_site import clock
from pages.families import FAILED, FAMILIES, REQUEST_FAMILIES, Family, family, request_family
from pages.shell.pool import Pool, pool
from requests_app.memory import Memory
from requests_app.models import Request
from requests_app.outages import racks_down
from requests_app.waiting.why import COLUMNS, explain

LATELY = timedelta(days=1)
# Where the families of requests are listed: each has one state while it is open.
_LISTED = {
    "waiting": "/requests/?state=finding_device",
    "preparing": "/requests/?state=pending",
    "ready": "/requests/?state=ready",
}
# Rows of each list; the rest is a click away.
_ROWS, _WAITING_ROWS = 8, 6


@dataclass(frozen=True)
class Share:
    """How many are in a family, where they are listed, and which part of all they are: `width` of 1000, from `x`."""

    family: Family
    number: int
    link: str
    x: int = 0
    width: int = 0


@dataclass(frozen=True)
class Waits:
    """A request that waits: for what, since when, why, and about how many seconds more."""

    number: int
    assignee: str
    image: str
    since: datetime
    why: str
    estimate: int | None


@dataclass(frozen=True)
class Broke:
    """A device that failed in the last day."""

    name: str
    state: str
    since: datetime


@dataclass(frozen=True)
class Requests:
    """The first layer: open requests by family, and those that wait longest."""

    open: tuple[Share, ...]
    longest: datetime | None
    waiting: tuple[Waits, ...]

    @property
    def total(self) -> int:
        """How many are open."""
        return sum(share.number for share in self.open)

    @property
    def more(self) -> int:
        """How many wait besides those that are listed."""
        waiting = sum(share.number for share in self.open if share.family.name == "waiting")
        return max(0, waiting - len(self.waiting))


@dataclass(frozen=True)
class Devices:
    """The second layer: devices by family, and those that failed lately, the last one first."""

    shares: tuple[Share, ...]
    total: int
    broke: tuple[Broke, ...]
    broke_more: int


@dataclass(frozen=True)
class Hardware:
    """The third layer: operations under way, and what can't be reached. `due` is since when the oldest could begin."""

    queued: int
    running: int
    due: datetime | None
    controllers: int
    suspect: int
    failing: int
    racks_down: frozenset[int]
    hand_tasks: int


@dataclass(frozen=True)
class Day:
    """What the last day gave: requests filed and given up, installations tried and failed, images that failed most."""

    filed: int
    gave_up: tuple[tuple[str, int], ...]
    installs: int
    failed_installs: int
    images: tuple[tuple[str, int], ...]

    @property
    def gave_up_total(self) -> int:
        """How many requests ended without a device that works."""
        return sum(number for _, number in self.gave_up)


@dataclass(frozen=True)
class Glance:
    """All of it."""

    requests: Requests
    devices: Devices
    hardware: Hardware
    day: Day


def _day(now: datetime) -> Day:
    since = now - LATELY
    gave_up = Request.objects.filter(ended__gte=since, state__startswith="failed_").order_by()
    installs = Install.objects.filter(finished__gte=since).order_by()
    images = installs.values_list("image__name").annotate(
        tried=Count("pk"), failed=Count("pk", filter=Q(succeeded=False))
    )
    by_image = list(images.order_by("-failed", "image__name"))
    return Day(
        Request.objects.filter(created__gte=since).count(),
        tuple(gave_up.values_list("state").annotate(number=Count("pk")).order_by("-number", "state")),
        sum(tried for _, tried, _ in by_image),
        sum(failed for *_, failed in by_image),
        tuple((name, failed) for name, _, failed in by_image[:3] if failed),
    )


def _requests(now: datetime) -> Requests:
    open_ = Request.objects.filter(ended=None).order_by()
    numbers: Counter[str] = Counter()
    longest = None
    for state, number, first in open_.values_list("state").annotate(number=Count("pk"), first=Min("created")):
        numbers[request_family(state)] += number
        if request_family(state) == "waiting":
            longest = first
    families = [REQUEST_FAMILIES[name] for name in ("waiting", "preparing", "ready")]
    return Requests(shares(families, numbers, _LISTED), longest, _waits_now.get(now))


def _waiting(now: datetime) -> tuple[Waits, ...]:
    line = Request.objects.filter(state="finding_device").order_by("turn", "pk")
    rows = list(line.values(*COLUMNS, "created", "assignee", "image__name")[:_WAITING_ROWS])
    why = explain(rows, {}, now)
    return tuple(_waits(row, why) for row in rows)


def _waits(row: Mapping[str, Any], why: Mapping[int, Any]) -> Waits:
    told = why[row["pk"]]
    return Waits(
        row["pk"], row["assignee"], row["image__name"], row["created"], told.detail, told.estimate_seconds
    )


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
    unanswered = Q(last_error_at__isnull=False) & (
        Q(last_contact__isnull=True) | Q(last_contact__lte=F("last_error_at"))
    )
    controllers = PowerController.objects.aggregate(
        all=Count("pk"),
        suspect=Count("pk", filter=Q(suspect_until__gt=now)),
        failing=Count("pk", filter=unanswered),
    )
    return Hardware(
        queued,
        by_status.get(Status.RUNNING, (0, None))[0],
        due if due is not None and due <= now else None,
        controllers["all"],
        controllers["suspect"],
        controllers["failing"],
        racks_down(now),
        HandTask.objects.filter(open_for__isnull=False).count(),
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


_lately: Memory[Day] = Memory(_day, 10.0)


_waits_now: Memory[tuple[Waits, ...]] = Memory(_waiting, 1.0)


def _read(_: datetime) -> Glance:
    now = clock.now()
    return Glance(_requests(now), _devices(pool.get(now), now - LATELY), _hardware(now), _lately.get(now))


# The pool as it is, half a second old.
glance: Memory[Glance] = Memory(_read, 0.5)


def forget() -> None:
    """Read anew the next time."""
    glance.forget()
    _waits_now.forget()
    _lately.forget()


def at_a_glance() -> Glance:
    """Give the pool at a glance."""
    return glance.get(timezone.now())
