"""Which queue a rack's workers listen on, without asking the database for every doorbell."""

import time

from devices.models import Rack

# A rack that was renamed is rung under its old name for so long; meanwhile its pulse rings.
_REMEMBERED_SECONDS = 60.0
_known: dict[int, tuple[str, float]] = {}


def queue_of(rack_id: int) -> str:
    """Give the name of a rack's queue, at most a minute old."""
    name, until = _known.get(rack_id, ("", 0.0))
    if time.monotonic() >= until:
        name = Rack.objects.get(pk=rack_id).queue_name
        _known[rack_id] = (name, time.monotonic() + _REMEMBERED_SECONDS)
    return name


def forget() -> None:
    """Look anew the next time."""
    _known.clear()
