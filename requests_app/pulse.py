"""The loops of the pool: expiry, requests' timers, matching, webhooks, bulk actions, retention, daily figures.

One pulse at a time does it, the one that holds the pool's lease row; when it dies, another takes the lease over within
seconds. What may take long, and need not be done at once, has a lease of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from bmm import operations
from devices import retention as journal
from devices.models import Device
from devices.models.device_kind import prune_kinds
from lifeguard import inventory_readings
from lifeguard.bulk import progress as bulk
from lifeguard.pulse.loops import loops as rack_loops
from lifeguard.pulse.scope import Patience, Scope
from lifeguard.states import DEVICE
from mozpool_site.access import retention as access
from mozpool_site.compiled import Parameter
from mozpool_site.pulse import parking
from mozpool_site.pulse.due import Due
from mozpool_site.pulse.loop import Loop, Pulse
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from requests_app.daily import add_up_next, add_up_next_hour
from requests_app.facts import waiting_for_failed
from requests_app.free_devices import stranded
from requests_app.machine import request_runner
from requests_app.models import Request
from requests_app.pool_lease import Lease
from requests_app.serving import let_go, match_waiting
from requests_app.webhooks import queue
from requests_app.webhooks.courier import Courier

# A dead holder's lease ends within 4 s, and others ask each second: the pool is looked after again within 5.
LEASE = timedelta(seconds=4)
_CHORES_LEASE = timedelta(seconds=60)
# Of each second, for bulk actions.
_BULK_SECONDS = 0.4
# Whoever has not looked for so long may have been away with everybody else, and all racks seem silent: nobody is let go
# before these have had the time to be heard again.
_GAP, _HEARD_AGAIN = timedelta(seconds=15), timedelta(seconds=10)
# Between two slices others write.
_BREATH = timedelta(seconds=0.1)
_MINUTE = timedelta(minutes=1)
_RESTS = ("ready", *DEVICE.tagged("steady"))
_HOLDER = Request.objects.filter(pk=OuterRef("held_by"))
_HELD = Device.objects.filter(held_by__isnull=False)
_SETTLED = Q(state__in=_RESTS) | ~Q(result="")
_GIVEN_ANOTHER_TASK = Exists(_HOLDER.filter(task_seq__lt=OuterRef("task_seq")))


class PoolLoop(Loop):
    """A loop that looks while its pulse holds a lease; without one it always does."""

    def __init__(self, lease: Lease | None = None) -> None:
        super().__init__()
        self._lease = lease

    def wanted(self) -> bool:
        """Whether the lease is ours."""
        return self._lease is None or self._lease.ours()


class _RequestLoop(PoolLoop):
    """Delivers an event to requests: to all that it concerns, or, `patience` later, to one."""

    # Each finds primary keys, and with them what the event is fenced on.
    queries: ClassVar[Mapping[str, Callable[[], "QuerySet[Request, tuple[int, Any]]"]]]

    def __init__(
        self, lease: Lease | None = None, *, only: int | None = None, patience: timedelta = timedelta(0)
    ) -> None:
        super().__init__(lease)
        self._only = Q() if only is None else Q(pk=only)
        self._patience = patience
        self._due = {name: Due(query) for name, query in self.queries.items()}

    def _found(self, what: str, now: datetime) -> list[tuple[int, Any]]:
        """Return what a query of this loop finds, of whom it is to look after and without what is parked."""
        moment = now - self._patience
        return self._due[what].rows(only=self._only, but=self.parking.numbers(now), now=moment)

    def _deliver(self, requests: Iterable[tuple[int, object]], event: str, fence_on: str = "") -> None:
        for pk, seen in self.within_budget(requests):
            fence = {fence_on: seen} if fence_on else None
            with self.parking.apart(pk), suppress(Request.DoesNotExist):
                request_runner.deliver_unless_locked(pk, Event(event), fence=fence)


class Expiry(_RequestLoop):
    """Ends requests whose time is over."""

    name = "expiry"
    queries: ClassVar = {"expired": lambda: _passed("expires").values_list("pk", "expires")}

    def look(self, now: datetime) -> None:
        """Look once."""
        # Whoever renews theirs at the last moment has been told so, and keeps it.
        self._deliver(self._found("expired", now), "expire", "expires")


class RequestTimers(_RequestLoop):
    """Lets the deadlines of requests pass."""

    name = "request timers"
    queries: ClassVar = {"due": lambda: _passed("deadline").values_list("pk", "state_seq")}

    def look(self, now: datetime) -> None:
        """Look once."""
        self._deliver(self._found("due", now), TIMEOUT, "state_seq")


class Sweep(_RequestLoop):
    """Finds requests that a lost signal would leave waiting for their next timer."""

    name = "sweep"
    every = timedelta(seconds=3)
    queries: ClassVar = {
        "settled": lambda: _holding("pending", _HELD.filter(_SETTLED)),
        "given another task": lambda: _holding(
            "pending", _HELD.exclude(_SETTLED).filter(_GIVEN_ANOTHER_TASK)
        ),
        "taken away": lambda: _holding("ready", _HELD.exclude(state="ready")),
        "failed": lambda: waiting_for_failed().order_by().values_list("pk", "state_seq"),
    }
    _since: datetime | None = None
    _looked: datetime | None = None

    def look(self, now: datetime) -> None:
        """Look once."""
        if self._since is None or self._looked is None or now - self._looked > _GAP:
            self._since = now
        self._looked = now
        self._deliver(self._found("settled", now), "device_settled")
        self._deliver(self._found("given another task", now), "device_left")
        self._deliver(self._found("taken away", now), "device_left")
        if now - self._since >= _HEARD_AGAIN:
            self._let_go(now)
        self._deliver(self._found("failed", now), "device_failed")

    def _let_go(self, now: datetime) -> None:
        unreachable = stranded(now).exclude(pk__in=self.parking.numbers(now)).values_list("pk", "state_seq")
        for pk, seq in self.within_budget(unreachable):
            with self.parking.apart(pk), suppress(Request.DoesNotExist):
                let_go(pk, seq)


class Matching(PoolLoop):
    """Brings free devices and waiting requests together, where no event has."""

    name = "matching"
    every = timedelta(seconds=2)

    def look(self, now: datetime) -> None:
        """Look once."""
        match_waiting(now=now, parking=self.parking)


class Webhooks(PoolLoop):
    """Has what webhooks are to be told sent, by threads of its own."""

    name = "webhooks"

    def __init__(self, lease: Lease | None = None) -> None:
        super().__init__(lease)
        self._courier = Courier()

    def look(self, now: datetime) -> None:
        """Look once."""
        self._courier.look(now)

    def end(self, seconds: float) -> bool:
        """Let what is being sent end; takes as long as the slowest receiver, 20 s at most."""
        return self._courier.stop(seconds)


class Bulk(PoolLoop):
    """Carries bulk actions on; what somebody watches goes on by their looks as well, and faster."""

    name = "bulk actions"

    def look(self, now: datetime) -> None:
        """Look once."""
        bulk.advance(budget_seconds=_BULK_SECONDS)


class ParkedRows(PoolLoop):
    """Forgets rows that were parked and that nobody needs any more."""

    name = "parked rows"
    every = timedelta(seconds=30)

    def look(self, now: datetime) -> None:
        """Look once."""
        parking.prune(now)


class Retention(PoolLoop):
    """Forgets what is old, a slice at a time."""

    name = "retention"
    every = timedelta(hours=1)
    # Each drops one slice, and returns how much that was.
    kinds: ClassVar[dict[str, Callable[[datetime], int]]] = {
        "journal": journal.prune_some,
        "access": access.prune_some,
        "operations": lambda now: operations.prune_some(_journal_begins(now)),
        "deliveries": queue.prune_some,
        "inventory readings": inventory_readings.prune,
        "device kinds": lambda _: prune_kinds(),
        "bulk actions": lambda now: bulk.prune_some(_journal_begins(now)),
    }

    def look(self, now: datetime) -> datetime | None:
        """Drop one slice of each kind; at once again where there may be more, in a minute where one failed."""
        parked, more = self.parking.keys(now), 0
        for kind, prune_some in self.kinds.items():
            if kind not in parked:
                with self.parking.apart(kind):
                    more += prune_some(now)
        if more:
            return now + _BREATH
        return now + _MINUTE if any(map(self.parking.holds, self.kinds)) else None


class DailySums(PoolLoop):
    """Adds up past hours and days, one at a time: those before an upgrade are added up within the hour."""

    name = "daily figures"
    every = timedelta(seconds=20)

    def look(self, now: datetime) -> None:
        """Look once."""
        add_up_next_hour(now)
        add_up_next(now)


def pool_loops() -> list[list[Loop]]:
    """Return what looks after the pool, in groups that do not wait for one another."""
    pool, chores = Lease("pool", LEASE), Lease("chores", _CHORES_LEASE)
    return [
        [pool, chores],
        [Expiry(pool), RequestTimers(pool), Sweep(pool)],
        [Matching(pool)],
        [Webhooks(pool), Bulk(pool), ParkedRows(pool)],
        [DailySums(chores), Retention(chores)],
    ]


def whole(scope: Scope, patience: Patience, *, stays: bool = True) -> Pulse:
    """Return the pulse over some racks and the pool."""
    return Pulse(*rack_loops(scope, patience, stays=stays), *pool_loops())


def _journal_begins(now: datetime) -> datetime:
    return now - timedelta(days=settings.MOZPOOL_JOURNAL_DAYS)


def _passed(moment: str) -> QuerySet[Request]:
    """Select live requests whose `moment` has passed."""
    now = Parameter("now", Request._meta.get_field("expires"))
    return Request.objects.filter(ended=None, **{f"{moment}__lte": now}).order_by(moment)


def _holding(state: str, held: QuerySet[Device]) -> QuerySet[Request, tuple[int, int]]:
    """Select the requests in a state that hold some of the devices."""
    holders = Request.objects.filter(state=state, pk__in=held.order_by().values("held_by"))
    return holders.order_by().values_list("pk", "state_seq")
