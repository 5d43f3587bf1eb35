"""What this process remembers of all devices for a few seconds, for callers who say that it will do."""

import threading
from dataclasses import dataclass, field
from time import monotonic

from devices.models import Device
from devices.names import HOSTNAME
from mozpool_site.errors import UnknownNameError

# Seconds that the API promises: nothing that is told from memory is older.
OLDEST = 5.0


@dataclass(frozen=True)
class States:
    """The state of every device by its name, as the database had them at `taken` (seconds of the monotonic clock)."""

    taken: float = float("-inf")
    by_name: dict[str, str] = field(default_factory=dict)

    @property
    def age(self) -> float:
        """How many seconds ago these were true, at the most."""
        return monotonic() - self.taken


_states = States()
_reading = threading.Lock()


def remembered_state(name: str) -> tuple[str, float]:
    """Give a device's state, and for how many seconds more it may be told. Raises UnknownNameError.

    A device that is younger than the memory of all is looked for in the database, or it would not be there for a while.
    """
    states, left = _states, OLDEST - _states.age
    if left <= 0.0:
        states, left = _read(), OLDEST
    state = states.by_name.get(name)
    return (state, left) if state is not None else (state_of(name), OLDEST)


def state_of(name: str) -> str:
    """Give a device's state as its row says now. Raises UnknownNameError."""
    rows = Device.objects.filter(name=name).order_by().values_list("state", flat=True)
    state = next(iter(rows), None) if HOSTNAME.fullmatch(name) else None
    if state is None:
        raise UnknownNameError(f"there is no device {name[:63]!r}", field="device")
    return state


def forget() -> None:
    """Read anew the next time."""
    global _states  # noqa: PLW0603 - one memory per process is the point
    _states = States()


def _read() -> States:
    """Read all states, once for all who come meanwhile."""
    global _states  # noqa: PLW0603 - see above
    with _reading:
        if _states.age >= OLDEST:
            taken = monotonic()
            _states = States(taken, dict(Device.objects.order_by().values_list("name", "state")))
        return _states
