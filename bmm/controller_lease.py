"""One connection per power controller, cluster-wide: a lease in the controller's own row."""

import time
from datetime import datetime, timedelta

from django.db.models import Q

from bmm.runner_identity import runner_name
from devices.models import PowerController
from mozpool_site import clock

# Longer than the longest batch (20 s), so that a lease never ends under somebody's hands.
LEASE_SECONDS = 30.0
_RESTING = "resting"


def take(controller_id: int) -> bool:
    """Become the one who talks to a controller; False while somebody else does.

    A board that rests after its last connection is waited for, since that takes a second at most.
    """
    for _ in range(2):
        now = clock.now()
        if _claim(controller_id, now):
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
    PowerController.objects.filter(pk=controller_id, lease_owner=runner_name()).update(
        lease_owner=_RESTING, lease_until=clock.now() + timedelta(seconds=rest_seconds)
    )


def _claim(controller_id: int, now: datetime) -> bool:
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
    claimed = PowerController.objects.filter(free, pk=controller_id).update(
        lease_owner=runner_name(), lease_until=now + timedelta(seconds=LEASE_SECONDS)
    )
    return claimed == 1


def _rest_left(controller_id: int, now: datetime) -> float | None:
    resting = PowerController.objects.filter(pk=controller_id, lease_owner=_RESTING)
    until = resting.values_list("lease_until", flat=True).first()
    return max(0.0, (until - now).total_seconds()) if until else None
