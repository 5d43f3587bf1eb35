"""One connection per power controller, cluster-wide: a lease in the controller's own row."""

import time
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Q

from bmm.runner_identity import runner_name
from devices.models import PowerController
from mozpool_site import clock
from mozpool_site.transactions import patiently

# Longer than the longest batch (20 s), so that a lease never ends under somebody's hands.
LEASE_SECONDS = 30.0
_RESTING = "resting"
_PATIENCE_SECONDS = 5.0


def take(controller_id: int) -> bool:
    """Become the one who talks to a controller; False while somebody else does.

    A board that rests after its last connection is waited for, since that takes a second at most.
    """
    for _ in range(2):
        now = clock.now()
        if patiently(partial(_claim, controller_id, now), _PATIENCE_SECONDS):
            return True
        rest = _rest_left(controller_id, now)
        if rest is None:
            return False
        time.sleep(rest)
    return _claim(controller_id, clock.now())


def keep(controller_id: int) -> bool:
    """Prolong our lease before the next batch; False when it is no longer ours."""
    ours = PowerController.objects.filter(pk=controller_id, lease_owner=runner_name())
    return ours.update(lease_until=clock.now() + timedelta(seconds=LEASE_SECONDS)) == 1


def give_back(controller_id: int, rest_seconds: float) -> None:
    """Let go, and keep everybody off the board for the rest that it needs."""
    ours = PowerController.objects.filter(pk=controller_id, lease_owner=runner_name())

    def let_go() -> int:
        return ours.update(lease_owner=_RESTING, lease_until=clock.now() + timedelta(seconds=rest_seconds))

    # A database that restarts meanwhile must not cost everybody the rest of the lease.
    patiently(let_go, LEASE_SECONDS)


def _claim(controller_id: int, now: datetime) -> bool:
    # What is under our own name is a claim whose answer a dying database did not send: no thread drains twice.
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now) | Q(lease_owner=runner_name())
    claimed = PowerController.objects.filter(free, pk=controller_id).update(
        lease_owner=runner_name(), lease_until=now + timedelta(seconds=LEASE_SECONDS)
    )
    return claimed == 1


def _rest_left(controller_id: int, now: datetime) -> float | None:
    resting = PowerController.objects.filter(pk=controller_id, lease_owner=_RESTING)
    until = resting.values_list("lease_until", flat=True).first()
    return max(0.0, (until - now).total_seconds()) if until else None
