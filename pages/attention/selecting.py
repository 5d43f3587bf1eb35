"""Which rows are findings, told by the database: for each kind a selection that starts from an index.

The same selections are counted for the navigation and read for the page, so that both say the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value

from bmm.by_hand import with_need
from bmm.models import HandTask, Kind, Operation, Status
from devices.models import Device, Image, PowerController, Rack
from devices.models.power_controller import SILENT, suspect
from devices.models.rack import pulse_silent
from lifeguard.models import FAILED, Install
from lifeguard.quarantine import QUARANTINED, quarantined_through
from lifeguard.states import DEVICE, EVIDENCE_FOR
from mozpool_site.by_row import by_row
from mozpool_site.pulse.parking import parked
from pages.attention import findings as kinds
from requests_app.models import PoolLease, Request
from requests_app.webhooks.models import Webhook

# Out of the pool for so long, somebody has forgotten it, or should say why.
_HANDS_ON_FOR, _LOCKED_FOR = timedelta(days=1), timedelta(days=7)
_FLAPS, _FLAPPING_FOR = 3, timedelta(days=7)
# An image is blamed for no fewer devices.
_IMAGE_DEVICES = 2
# A queue of power operations may hold one back for as long; nobody who works lets one wait longer.
_UNHEARD = timedelta(seconds=60)
# The pulse fires timers three seconds late at most, and pushes back by a minute what it can't.
_OVERDUE = timedelta(seconds=120)
_POOL_SILENT = timedelta(seconds=30)
# Ten minutes: from then on nobody who comes later is served first. Half an hour is twice a slow installation.
_WAITING_FOR, _PREPARING_FOR = timedelta(minutes=10), timedelta(minutes=30)
# Who asked for hours is a person; what automation asks for ends by the minute, and on purpose.
_LONG, _ENDS_WITHIN = timedelta(hours=4), timedelta(hours=1)

_FAILED = DEVICE.tagged("failed")
_HANDS_ON, _LOCKED_OUT = DEVICE.tagged("hands_on"), DEVICE.tagged("locked_out")


def failed(_: datetime) -> QuerySet[Device]:
    """Select devices that gave up, unless a person has said more."""
    return Device.objects.filter(~QUARANTINED, state__in=_FAILED)


def quarantined(_: datetime) -> QuerySet[Device]:
    """Select devices that a person has quarantined."""
    return Device.objects.filter(QUARANTINED)


def out(now: datetime) -> QuerySet[Device]:
    """Select devices that have been out of the pool for long by somebody's will, or in a state nobody knows."""
    forgotten = (
        Q(state__in=_HANDS_ON, state_since__lt=now - _HANDS_ON_FOR)
        | Q(state__in=_LOCKED_OUT, state_since__lt=now - _LOCKED_FOR)
        | Q(state=DEVICE.fallback)
    )
    return Device.objects.filter(~QUARANTINED, forgotten)


def _failures(now: datetime) -> Iterator[QuerySet[Any, Any]]:
    """Select the failed installations and checks of health of a week, of devices that are ready; counted by device."""
    since = now - _FLAPPING_FOR
    ready = by_row(Q(device__state="ready") & ~quarantined_through("device__"))
    for failed in (
        Install.objects.filter(FAILED, ready, finished__gte=since),
        Operation.objects.filter(ready, status=Status.FAILED, kind=Kind.CHECK_HEALTH, finished__gte=since),
    ):
        told = (
            failed.order_by()
            .annotate(told=Value(kinds.FLAPPING.name), of=F("device_id"))
            .values("told", "of")
        )
        yield told.annotate(n=Count("pk")).values_list("told", "of", "n")


def failing_builds(now: datetime) -> QuerySet[Any, Any]:
    """Select builds of images that failed on several healthy devices and have not succeeded since, grouped.

    Columns: `image__name`, `config_digest`, `devices` (how many), `first_failure`, `last_failure`, `last_success`.
    """
    lately = Install.objects.filter(finished__gte=now - EVIDENCE_FOR).order_by()
    bad = lately.filter(FAILED, healthy_before=True)
    same = lately.filter(succeeded=True, image=OuterRef("image"), config_digest=OuterRef("config_digest"))
    told = bad.values("image", "image__name", "config_digest").annotate(
        devices=Count("device", distinct=True),
        first_failure=Min("finished"),
        last_failure=Max("finished"),
        last_success=Subquery(same.order_by("-finished").values("finished")[:1]),
    )  # fmt: skip
    newer = Q(last_success=None) | Q(last_failure__gt=F("last_success"))
    return told.filter(newer, devices__gte=_IMAGE_DEVICES)


def images(now: datetime) -> QuerySet[Image]:
    """Select the images that failing builds are of."""
    return Image.objects.filter(pk__in=failing_builds(now).values("image"))


def controllers(now: datetime) -> QuerySet[PowerController]:
    """Select controllers that are suspect, or did not answer when they were last asked."""
    return PowerController.objects.filter(suspect(now) | SILENT)


def racks(now: datetime) -> QuerySet[Rack]:
    """Select racks whose pulse stopped, whose operations nobody takes, or whose timers nobody fires."""
    # The first of each: to look for any that is late, MariaDB would read all of the rack.
    due = Device.objects.filter(rack=OuterRef("pk"), deadline__isnull=False).order_by("deadline")
    first_due = Subquery(due.values("deadline")[:1])
    neglected = Q(pk__in=unheard(now).values("rack")) | Q(first_due__lt=now - _OVERDUE)
    return Rack.objects.alias(first_due=first_due).filter(pulse_silent(now) | neglected)


def unheard(now: datetime) -> QuerySet[Operation]:
    """Select operations that are due, and that no worker has taken."""
    return Operation.objects.filter(status=Status.QUEUED, not_before__lt=now - _UNHEARD).order_by()


def overdue(now: datetime) -> QuerySet[Device]:
    """Select devices whose time is over, and nobody has noticed."""
    return Device.objects.filter(deadline__lt=now - _OVERDUE).order_by()


def waiting(now: datetime) -> QuerySet[Request]:
    """Select requests that wait for long."""
    searching = Q(state="finding_device", created__lt=now - _WAITING_FOR)
    return Request.objects.filter(
        searching | Q(state="pending", matched_at__lt=now - _PREPARING_FOR), ended=None
    )


def expiring(now: datetime) -> QuerySet[Request]:
    """Select requests of hours that end soon."""
    return Request.objects.filter(
        ended=None,
        state="ready",
        expires__lt=now + _ENDS_WITHIN,
        expires__gte=F("created") + _LONG,
    )


def hand_tasks(_: datetime) -> QuerySet[Any]:
    """Select tasks that something waits for."""
    with_wanted: QuerySet[Any] = with_need(HandTask.objects.filter(open_for__isnull=False, done_at=None))
    return with_wanted.filter(wanted=True)


def webhooks(_: datetime) -> QuerySet[Webhook]:
    """Select webhooks that were given up and should not be: those of ended requests have no more to tell."""
    return Webhook.objects.filter(
        Q(request=None) | Q(request__ended=None), dead_since__isnull=False, active=True
    )


def lost_lease(now: datetime) -> QuerySet[PoolLease]:
    """Select the pool's lease if nobody keeps it."""
    return PoolLease.objects.filter(Q(until=None) | Q(until__lt=now - _POOL_SILENT), name="pool")


# What counts as a finding of each kind that rows tell, but of devices that flap.
SELECTIONS: Mapping[kinds.Kind, Callable[[datetime], QuerySet[Any]]] = {
    kinds.NO_PULSE: lost_lease,
    kinds.PARKED: parked,
    kinds.RACK_SILENT: racks,
    kinds.CONTROLLER: controllers,
    kinds.HAND_TASK: hand_tasks,
    kinds.IMAGE: images,
    kinds.FAILED: failed,
    kinds.WAITING: waiting,
    kinds.WEBHOOK: webhooks,
    kinds.EXPIRING: expiring,
    kinds.QUARANTINED: quarantined,
    kinds.OUT: out,
}


@dataclass(frozen=True)
class Counts:
    """How many findings there are of each kind, by its name; and how often each device that flaps failed lately."""

    of: Mapping[str, int]
    often: Mapping[int, int]


def count(now: datetime) -> Counts:
    """Count the findings of each kind, in one query."""
    first, *others = (_counted(kind, selection(now)) for kind, selection in SELECTIONS.items())
    failures: Counter[int] = Counter()
    counted: dict[str, int] = {}
    for name, device, number in first.union(*others, *_failures(now), all=True):
        if name == kinds.FLAPPING.name:
            failures[device] += number
        elif name:
            counted[name] = number
    often = {device: times for device, times in failures.items() if times >= _FLAPS}
    return Counts({**counted, kinds.FLAPPING.name: len(often)}, often)


def _counted(kind: kinds.Kind, rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    told = rows.order_by().annotate(told=Value(kind.name), of=Value(0)).values("told", "of")
    counted: QuerySet[Any, Any] = told.annotate(n=Count("pk")).values_list("told", "of", "n")
    return counted
