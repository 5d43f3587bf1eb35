"""Deadlines of devices that have passed, and the heartbeat that tells that somebody meets them."""

import logging
import time
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from devices.models import Device, Rack
from devices.queues import queue_of
from lifeguard.machine import device_runner
from lifeguard.pulse.scope import Patience, Scope
from mozpool_site import doorbell
from mozpool_site.compiled import Parameter
from mozpool_site.pulse.due import MOST, Due
from mozpool_site.pulse.loop import Loop
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from mozpool_site.transactions import is_contention

logger = logging.getLogger(__name__)

TIMER_TASK = "lifeguard.tasks.fire_timer"

# A rack whose oldest due timer waits for longer is not served, whatever the threads of its pulse do.
BEHIND_AFTER = timedelta(seconds=15)
_LOOKED_WITHIN_SECONDS = 10.0
_SOON = timedelta(seconds=1)
# Its device, that one's `state_seq`, the deadline, the rack and the power controller.
_DueTimer = tuple[int, int, datetime, int, int | None]


class Timers(Loop):
    """Rings for deadlines that have passed, and lets pass what nobody came for."""

    name = "timers"

    def __init__(self, scope: Scope, patience: Patience) -> None:
        super().__init__()
        self.scope = scope
        self._patience = patience
        self._due = Due(_due)
        self._rung: dict[int, int] = {}
        self._controllers_locked: dict[int, float] = {}
        self._looked = float("-inf")
        # Racks of which timers are left for too long; None where nobody knows.
        self._behind: frozenset[int] | None = frozenset()

    def serves_all_but(self) -> frozenset[int] | None:
        """Return the racks whose timers are not met; None when that goes for all."""
        return self._behind if time.monotonic() - self._looked < _LOOKED_WITHIN_SECONDS else None

    def look(self, now: datetime) -> datetime | None:
        """Look once; at once again where there was more than a look may do."""
        only = self.scope.of_devices & ~Q(power_controller_id__in=self._locked_controllers())
        rows = self._due.rows(only=only, but=self.parking.numbers(now), now=now)
        rung: dict[int, int] = {}
        done = 0
        for pk, seq, deadline, rack_id, controller_id in self.within_budget(rows):
            done += 1
            if controller_id in self._controllers_locked:
                continue
            if self._patience.serves(rack_id, now, unheard=now - deadline >= self._patience.timers):
                self._fire(pk, seq, controller_id)
            elif self._patience.bells:
                if self._rung.get(pk) != seq:
                    doorbell.ring(queue_of(rack_id), TIMER_TASK, pk, seq)
                rung[pk] = seq
        self._rung = rung
        left = rows[done:]
        late = {rack_id for _, _, deadline, rack_id, _ in left if now - deadline >= BEHIND_AFTER}
        full = len(rows) == MOST and now - rows[-1][2] >= BEHIND_AFTER
        self._behind, self._looked = (None if full else frozenset(late)), time.monotonic()
        return now if left or len(rows) == MOST else None

    def _locked_controllers(self) -> list[int]:
        moment = time.monotonic()
        self._controllers_locked = {
            pk: until for pk, until in self._controllers_locked.items() if until > moment
        }
        return sorted(self._controllers_locked)

    def _fire(self, pk: int, seq: int, controller_id: int | None) -> None:
        with self.parking.apart(pk):
            try:
                device_runner.deliver_unless_locked(pk, Event(TIMEOUT), fence={"state_seq": seq})
            except Device.DoesNotExist:
                pass  # somebody has removed it
            except OperationalError as error:
                if controller_id is not None and is_contention(error):
                    # The lock of a controller that keeps an operation from being stored keeps all its devices' from
                    # it: each of them would be waited for in turn.
                    self._controllers_locked[controller_id] = time.monotonic() + 2
                raise


def _due() -> QuerySet[Device, _DueTimer]:
    now = Parameter("now", Device._meta.get_field("deadline"))
    columns = ("pk", "state_seq", "deadline", "rack_id", "power_controller_id")
    return Device.objects.filter(deadline__lte=now).order_by("deadline").values_list(*columns)


class Heartbeat(Loop):
    """Tells everybody that the timers of its racks are met; a thread that merely lives tells nothing."""

    name = "heartbeat"
    every = timedelta(seconds=5)

    def __init__(self, scope: Scope, timers: Timers) -> None:
        super().__init__()
        self._scope = scope
        self._timers = timers

    def look(self, now: datetime) -> datetime | None:
        """Look once; sooner again where there was nothing good to tell: it may be the first look of all."""
        behind = self._timers.serves_all_but()
        if behind is None:
            logger.warning("the timers of these racks are not met in time")
            return now + _SOON
        racks = (
            Rack.objects.all() if self._scope.racks is None else Rack.objects.filter(pk__in=self._scope.racks)
        )
        if behind:
            racks = racks.exclude(pk__in=behind)
        try:
            racks.update(pulse_seen=now)
        except OperationalError as error:
            if not is_contention(error):
                raise
            # Somebody has locked one of them: the others are well.
            with transaction.atomic():
                skipping = connection.features.has_select_for_update_skip_locked
                free = list(racks.select_for_update(skip_locked=skipping).values_list("pk", flat=True))
                Rack.objects.filter(pk__in=free).update(pulse_seen=now)
        return None
