"""Which racks are down: their pulse has not looked for a while, so nobody would do a device's work there."""

import time
from datetime import datetime, timedelta

from devices.models import Rack

# A rack whose pulse has not looked for so long is down: its devices are offered to nobody.
RACK_DOWN_AFTER = timedelta(seconds=30)
# Each filing would ask anew for what changes once in months.
_REMEMBERED_SECONDS = 1.0

_known: frozenset[int] = frozenset()
_known_until = 0.0


def racks_down(now: datetime) -> frozenset[int]:
    """Give the ids of racks that are down, at most a second old; one that never had a pulse of its own is not down."""
    global _known, _known_until  # noqa: PLW0603 - one memory per process is the point
    if time.monotonic() >= _known_until:
        stopped = Rack.objects.filter(pulse_seen__lt=now - RACK_DOWN_AFTER).order_by()
        _known = frozenset(stopped.values_list("pk", flat=True))
        _known_until = time.monotonic() + _REMEMBERED_SECONDS
    return _known


def forget() -> None:
    """Look anew the next time."""
    global _known_until  # noqa: PLW0603 - see above
    _known_until = 0.0
