"""What concerns the whole pool: expiry, requests' timers, matching, webhooks, retention, the figures of past days.

One pulse at a time does it, the one that holds the pool's lease row; when it dies, another takes the lease
over within seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from bmm import operations
from bmm.runner_identity import runner_name
from devices.models import Device
from devices.retention import prune
from lifeguard.bulk import progress as bulk
from mozpool_site.access import retention as access
from mozpool_site.contained import POISON_PAUSE, contained
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from requests_app.claims import match_waiting
from requests_app.daily import add_up_next
from requests_app.machine import request_runner
from requests_app.models import PoolLease, Request
from requests_app.outages import racks_down
from requests_app.webhooks import queue
from requests_app.webhooks.courier import Courier

# A dead holder's lease ends within 4 s, and others ask each second: the pool is looked after again within 5.
LEASE = timedelta(seconds=4)
_RENEW = timedelta(seconds=1)
_LOOK_EVERY = timedelta(seconds=1)
_MATCH_EVERY = timedelta(seconds=2)
_SWEEP_EVERY = timedelta(seconds=3)
_PRUNE_EVERY = timedelta(hours=1)
# A day at a time: those before an upgrade are added up within the hour, and nothing else waits for it.
_ADD_UP_EVERY = timedelta(seconds=20)
# Of each second, for bulk actions: the lease must be renewed in time.
_BULK_SECONDS = 0.4
_SLICE = 500


@dataclass
class PoolPulse:
    """Looks after the pool while it holds the lease."""

    _looked: datetime | None = None
    _renewed: datetime | None = None
    _matched: datetime | None = None
    _swept: datetime | None = None
    _pruned: datetime | None = None
    _added: datetime | None = None
    _courier: Courier = field(default_factory=Courier)

    def beat(self, now: datetime) -> None:
        """Do what is due now, if the pool is ours."""
        if not _every(_LOOK_EVERY, self._looked, now):
            return
        self._looked = now
        if not self._lease(now):
            return
        self._expire(now)
        self._timers(now)
        with contained("webhooks can't be sent; next try in a second"):
            self._courier.look(now)
        # What somebody watches goes on by their looks as well, and faster.
        with contained("bulk actions can't go on; next try in a second"):
            bulk.advance(budget_seconds=_BULK_SECONDS)
        if _every(_SWEEP_EVERY, self._swept, now):
            self._swept = now
            self._sweep(now)
        if _every(_MATCH_EVERY, self._matched, now):
            self._matched = now
            match_waiting()
        if _every(_PRUNE_EVERY, self._pruned, now):
            self._pruned = now
            with contained("what is old can't be pruned; next try in an hour"):
                _forget(now)
        if _every(_ADD_UP_EVERY, self._added, now):
            self._added = now
            with contained("past days can't be added up; next try in 20 seconds"):
                add_up_next(now)

    def stop(self) -> None:
        """Let what is being sent end; takes as long as the slowest receiver, 20 s at most."""
        self._courier.stop()

    def _lease(self, now: datetime) -> bool:
        if self._renewed is not None and now - self._renewed < _RENEW:
            return True
        free = Q(owner=runner_name()) | Q(until__lt=now) | Q(until=None)
        held = PoolLease.objects.filter(free, name="pool").update(owner=runner_name(), until=now + LEASE)
        if not held and not PoolLease.objects.filter(name="pool").exists():
            held = _create_lease(now)
        self._renewed = now if held else None
        return bool(held)

    def _expire(self, now: datetime) -> None:
        expired = Request.objects.filter(ended=None, expires__lte=now).order_by("expires")
        _deliver(expired.values_list("pk", flat=True)[:_SLICE], "expire", now)

    def _timers(self, now: datetime) -> None:
        due = Request.objects.filter(ended=None, deadline__lte=now).order_by("deadline")
        for pk, seq in due.values_list("pk", "state_seq")[:_SLICE]:
            _deliver([pk], TIMEOUT, now, fence={"state_seq": seq})

    def _sweep(self, now: datetime) -> None:
        """Find requests that a lost signal would leave waiting for their next timer."""
        held = Device.objects.filter(held_by__isnull=False)
        self._tell("pending", held.filter(Q(state="ready") | ~Q(result="")), "device_settled", now)
        self._tell("ready", held.exclude(state="ready"), "device_left", now)
        if down := racks_down(now):
            self._tell("pending", held.filter(rack_id__in=down), "rack_down", now)

    def _tell(self, state: str, held: QuerySet[Device], event: str, now: datetime) -> None:
        concerned = Request.objects.filter(state=state, pk__in=held.values("held_by"))
        if event == "rack_down":
            concerned = concerned.filter(requested_device=None)
        _deliver(concerned.values_list("pk", flat=True), event, now)


def _create_lease(now: datetime) -> bool:
    try:
        with transaction.atomic():
            PoolLease.objects.create(name="pool", owner=runner_name(), until=now + LEASE)
    except IntegrityError:
        return False
    return True


def _deliver(
    requests: Iterable[int], event: str, now: datetime, fence: dict[str, object] | None = None
) -> None:
    """Deliver an event to each."""
    for pk in requests:
        request = Request.objects.filter(pk=pk)
        with contained(
            "%s of request %s failed; next try in a minute",
            event,
            pk,
            # Only a timer is found again by its deadline; the rest are found by what they are.
            push_back=partial(request.update, deadline=now + POISON_PAUSE) if event == TIMEOUT else None,
        ):
            request_runner.deliver(pk, Event(event), fence=fence)


def _forget(now: datetime) -> None:
    prune(now)
    access.prune(now)
    operations.prune(now - timedelta(days=settings.MOZPOOL_JOURNAL_DAYS))
    queue.prune(now)
    bulk.prune(now - timedelta(days=settings.MOZPOOL_JOURNAL_DAYS))


def _every(pause: timedelta, last: datetime | None, now: datetime) -> bool:
    return last is None or now - last >= pause
