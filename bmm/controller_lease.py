"""One connection per power controller, cluster-wide: a lease in the controller's own row."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Q

from bmm.runner_identity import runner_name
from devices.models import PowerController
from mozpool_site import clock
from mozpool_site.errors import ConflictError
from mozpool_site.transactions import patiently, retrying, unlocked_soon

# Longer than an ordinary batch (20 s), so that a lease never ends under somebody's hands.
LEASE_SECONDS = 30.0
_RESTING = "resting"
_PATIENCE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.2


@contextmanager
def in_turn(controller: PowerController, rest_seconds: float, seconds: float) -> Iterator[None]:
    """Hold a controller's lease, once it is free; then its board is left alone for `rest_seconds`.

    Raises ConflictError, naming the holder, when somebody else keeps it for so many `seconds`.
    """
    ends = time.monotonic() + seconds
    while not take(controller.pk):
        if time.monotonic() >= ends:
            busy = holder(controller) or f"{controller.name} was in use until now; try again"
            raise ConflictError(busy, field="lease")
        time.sleep(_LOOK_AGAIN_SECONDS)
    try:
        yield
    finally:
        give_back(controller.pk, rest_seconds)


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


def keep(controller_id: int, extra_seconds: float = 0.0) -> bool:
    """Prolong our lease before the next batch, which may take longer than usual; False when it is no longer ours."""
    until = clock.now() + timedelta(seconds=LEASE_SECONDS + extra_seconds)
    ours = PowerController.objects.filter(pk=controller_id, lease_owner=runner_name())
    return ours.update(lease_until=until) == 1


def give_back(controller_id: int, rest_seconds: float) -> None:
    """Let go, and keep everybody off the board for the rest that it needs."""
    ours = PowerController.objects.filter(pk=controller_id, lease_owner=runner_name())

    def let_go() -> int:
        return ours.update(lease_owner=_RESTING, lease_until=clock.now() + timedelta(seconds=rest_seconds))

    # A database that restarts meanwhile must not cost everybody the rest of the lease.
    patiently(let_go, LEASE_SECONDS)


def holder(controller: PowerController) -> str:
    """Return who talks to a controller, and how long at most, as a sentence; empty when nobody does."""
    controller.refresh_from_db(fields=["lease_owner", "lease_until"])
    left = (controller.lease_until - clock.now()).total_seconds() if controller.lease_until else 0.0
    if left <= 0 or controller.lease_owner == _RESTING:
        return ""
    return (
        f"{controller.name} is in use by {controller.lease_owner} (for {left:.0f} s at most, unless it goes on); "
        "try again"
    )


@retrying
def _claim(controller_id: int, now: datetime) -> bool:
    if not unlocked_soon(PowerController.objects.filter(pk=controller_id).values_list("pk")):
        return False
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
