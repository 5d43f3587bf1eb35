"""The pool at a glance: what each layer has to do, who waits, and what failed in the last day.

Read as a whole, once for all open pages, so that no part of it contradicts another.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, DateTimeField, F, Min, Q, QuerySet, Value
from django.utils import timezone

from bmm.models import OPEN, HandTask, Operation, Status
from devices.models import Device, PowerController
from devices.models.power_controller import SILENT, suspect
from devices.models.rack import pulse_is_silent
from lifeguard.models import FAILED as NOT_INSTALLED
from lifeguard.models import Install
from mozpool_site import clock
from mozpool_site.by_row import by_row
from pages.families import FAILED, FAMILIES, REQUEST_FAMILIES, Family, family, request_family, states_of
from pages.home.shapes import MOST_RACKS, Broke, Day, Devices, Glance, Hardware, Requests, Share, Waits
from pages.racks.queries import cells_in, racks_in_order
from pages.shell import changes
from requests_app.memory import Memory
from requests_app.models import Request
from requests_app.snapshot import stock
from requests_app.waiting.queue import queue
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


class _Numbers:
    """How many there are of what, by state, and since when the first of them: all counted in one query."""

    def __init__(self, now: datetime) -> None:
        first, *others = (
            _counted("requests", Request.objects.filter(ended=None), "state", Min("created")),
            _counted("operations", Operation.objects.filter(status__in=OPEN), "status", Min("not_before")),
            # Of all devices an index tells the state; who holds one stands in its row, which few have to be read for.
            _counted("devices", Device.objects.all(), "state"),
            _counted("held", Device.objects.filter(held_by__isnull=False), "state"),
            _counted("broke", _broke(now), "state"),
            _counted("controllers", PowerController.objects.all()),
            _counted("suspect", PowerController.objects.filter(suspect(now))),
            _counted("silent", PowerController.objects.filter(SILENT)),
            _counted("by hand", HandTask.objects.filter(open_for__isnull=False)),
        )
        self._rows = list(first.union(*others, all=True))

    def of(self, what: str) -> Counter[str]:
        """Return how many there are in each state."""
        return Counter({key: number for told, key, number, _ in self._rows if told == what})

    def since(self, what: str, state: str) -> datetime | None:
        """Return since when the first is there."""
        moments = (moment for told, key, _, moment in self._rows if (told, key) == (what, state))
        return next(moments, None)


def _counted(what: str, rows: QuerySet[Any], key: str = "", since: Any = None) -> QuerySet[Any, Any]:
    named = rows.order_by().annotate(what=Value(what), key=F(key) if key else Value(""))
    begun = Value(None, output_field=DateTimeField()) if since is None else since
    counted = named.values("what", "key").annotate(number=Count("pk"), since=begun)
    columns: QuerySet[Any, Any] = counted.values_list("what", "key", "number", "since")
    return columns


def _broke(now: datetime) -> QuerySet[Device]:
    return Device.objects.filter(state__in=states_of(FAILED.name), state_since__gte=now - LATELY)


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
        tried=Count("pk"), failed=Count("pk", filter=NOT_INSTALLED)
    )
    by_image = list(images.order_by("-failed", "image__name"))
    return Day(
        number,
        tuple(sorted(counted.items(), key=lambda one: (-one[1], one[0]))),
        sum(tried for _, tried, _ in by_image),
        sum(failed for *_, failed in by_image),
        tuple((name, failed) for name, _, failed in by_image[:3] if failed),
    )


def _requests(numbers: _Numbers, now: datetime) -> Requests:
    by_family: Counter[str] = Counter()
    longest = None
    for state, number in numbers.of("requests").items():
        by_family[request_family(state)] += number
        if request_family(state) == "waiting":
            longest = numbers.since("requests", state)
    families = [REQUEST_FAMILIES[name] for name in ("waiting", "preparing", "ready")]
    waiting = _waiting(now) if by_family["waiting"] else ()
    return Requests(shares(families, by_family, _LISTED), longest, waiting)


def _waiting(now: datetime) -> tuple[Waits, ...]:
    line = Request.objects.filter(state="finding_device").order_by("turn", "pk")
    rows = list(line.values(*COLUMNS, "created", "waits_until", "assignee", "image__name")[:_WAITING_ROWS])
    # Why they wait is told of this moment, too.
    stock.anew(now)
    queue.anew(now)
    why = explain(rows, {}, now)
    return tuple(_waits_for(row, why) for row in rows)


def _waits_for(row: Mapping[str, Any], why: Mapping[int, Any]) -> Waits:
    told = why[row["pk"]]
    return Waits(
        row["pk"], row["assignee"], row["image__name"], row["created"], row["waits_until"], told.detail,
        told.estimate_seconds,
    )  # fmt: skip


def _devices(numbers: _Numbers, now: datetime) -> Devices:
    by_family: Counter[str] = Counter()
    held = numbers.of("held")
    for state, number in numbers.of("devices").items():
        by_family[family(state)] += number - held[state]
        by_family[family(state, held=True)] += held[state]
    broke = numbers.of("broke").total()
    latest = _broke(now).order_by("-state_since", "pk").values_list("name", "state", "state_since")
    listed = tuple(Broke(*row) for row in latest[:_ROWS]) if broke else ()
    return Devices(
        shares(list(FAMILIES.values()), by_family, {}), by_family.total(), listed, max(0, broke - len(listed))
    )


def _hardware(numbers: _Numbers, now: datetime) -> Hardware:
    due = numbers.since("operations", Status.QUEUED)
    racks = tuple(racks_in_order())
    return Hardware(
        queued=numbers.of("operations")[Status.QUEUED],
        running=numbers.of("operations")[Status.RUNNING],
        due=due if due is not None and due <= now else None,
        controllers=numbers.of("controllers").total(),
        suspect=numbers.of("suspect").total(),
        silent=numbers.of("silent").total(),
        hand_tasks=numbers.of("by hand").total(),
        racks=racks,
        racks_down=frozenset(rack.pk for rack in racks if pulse_is_silent(rack.pulse_seen, now)),
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


def _read(_: datetime) -> Glance:
    # Before the rows: what changes in between is told again, not missed.
    version, now = changes.version(), clock.now()
    numbers = _Numbers(now)
    hardware = _hardware(numbers, now)
    return Glance(
        requests=_requests(numbers, now),
        devices=_devices(numbers, now),
        hardware=hardware,
        day=_day(now),
        cells=tuple(cells_in(hardware.racks[:MOST_RACKS])),
        version=version,
    )


# The pool as it is, half a second old.
glance: Memory[Glance] = Memory(_read, 0.5)


def forget() -> None:
    """Read anew the next time."""
    glance.forget()


def at_a_glance() -> Glance:
    """Give the pool at a glance."""
    return glance.get(timezone.now())
