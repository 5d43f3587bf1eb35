"""Rows that one pulse at a time holds: what is done for the whole pool is done by one, and by another when it dies."""

import time
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from bmm.runner_identity import runner_name
from mozpool_site.pulse.loop import Loop
from mozpool_site.pulse.parking import Parking
from requests_app.models import PoolLease


class Lease(Loop):
    """Holds a row that only one pulse at a time has; the loops that need it ask `ours`, which costs nothing."""

    name = "lease"

    def __init__(self, row: str, lasts: timedelta) -> None:
        super().__init__()
        self.parking = Parking(f"{row} lease")
        self.every = lasts / 4
        self._row = row
        self._lasts = lasts
        self._until = float("-inf")

    def ours(self) -> bool:
        """Whether this process may do what the lease is for."""
        return time.monotonic() < self._until

    def look(self, now: datetime) -> None:
        """Renew it, or take it where it is free."""
        asked = time.monotonic()
        lease = {"owner": runner_name(), "until": now + self._lasts}
        free = Q(owner=runner_name()) | Q(until__lt=now) | Q(until=None)
        held = PoolLease.objects.filter(free, name=self._row).update(**lease)
        if not held and not PoolLease.objects.filter(name=self._row).exists():
            with suppress(IntegrityError), transaction.atomic():
                held = PoolLease.objects.create(name=self._row, **lease) is not None
        self._until = asked + self._lasts.total_seconds() if held else float("-inf")
