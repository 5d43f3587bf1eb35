"""The many states of devices and requests in a few families, each with a colour, a mark and a word.

The mark says by its shape what the colour says, for those who can't tell the colours apart.
"""

from dataclasses import dataclass

from lifeguard.states import DEVICE
from requests_app.states import REQUEST


@dataclass(frozen=True)
class Family:
    """States that mean the same to whoever looks: `name` is the CSS class's end, `doc` one line for people."""

    name: str
    label: str
    mark: str
    doc: str

    def __str__(self) -> str:
        return self.name


FREE = Family("free", "Free", "●", "Ready, and nobody has it.")
HELD = Family("held", "In use", "■", "Ready, and a request has it.")
BUSY = Family("busy", "Busy", "▶", "On its way: power, boot, installation or a test.")
NEW = Family("new", "New", "◆", "Just entered the inventory; tests itself first.")
MAINTENANCE = Family("maintenance", "Maintenance", "▲", "Somebody works on it.")
FAILED = Family("failed", "Failed", "✕", "Gave up; waits for somebody to mend it.")
OUT = Family("out", "Out", "–", "Locked out, or in a state that nobody knows.")
FAMILIES = {one.name: one for one in (FREE, HELD, BUSY, NEW, MAINTENANCE, FAILED, OUT)}

WAITING = Family("waiting", "Waiting", "…", "Looks for a free device.")
PREPARING = Family("preparing", "Preparing", "▶", "Has a device, which is being prepared.")
READY = Family("ready", "Ready", "■", "The device is there to be used.")
ENDED = Family("ended", "Ended", "–", "Returned or expired; the device is free again.")
GAVE_UP = Family("failed", "Failed", "✕", "Ended without a device that works.")
REQUEST_FAMILIES = {one.name: one for one in (WAITING, PREPARING, READY, ENDED, GAVE_UP)}

# States whose name says more than the table's tags do; all others that a device rests or works in are busy.
_AT_REST = {
    "new": NEW,
    "maintenance_mode": MAINTENANCE,
    "troubleshooting": MAINTENANCE,
    "locked_out": OUT,
    "unknown": OUT,
}
_FAILED = frozenset(DEVICE.tagged("failed"))
_REQUESTS = {
    "new": WAITING,
    "finding_device": WAITING,
    "contacting_lifeguard": PREPARING,
    "pending": PREPARING,
    "ready": READY,
    "closed": ENDED,
}


def family(state: str, *, held: bool = False) -> str:
    """Name the family of a device's state; one that is ready is `free` or `held`."""
    return family_of(state, held=held).name


def family_of(state: str, *, held: bool = False) -> Family:
    """Give the family of a device's state, `held` by a request or not. A state that the table lacks is OUT."""
    if state in _FAILED:
        return FAILED
    if state == "ready":
        return HELD if held else FREE
    if state not in DEVICE:
        return OUT
    return _AT_REST.get(state, BUSY)


def states_of(family_name: str) -> tuple[str, ...]:
    """Name the stored states of a family of devices, for filters; `free` and `held` share `ready`."""
    return tuple(
        state
        for state in DEVICE.stored()
        if family_name in (family_of(state).name, family_of(state, held=True).name)
    )


def request_family(state: str) -> str:
    """Name the family of a request's state."""
    return request_family_of(state).name


def request_family_of(state: str) -> Family:
    """Give the family of a request's state; one that the table lacks is what the table takes it for."""
    return GAVE_UP if state.startswith("failed_") else _REQUESTS[REQUEST[state].name]


def words(state: str) -> str:
    """Write a state for people: `failed_pxe_booting` is `failed pxe booting`."""
    return state.replace("_", " ")


def device_title(name: str, state: str, held_by: int | None) -> str:
    """Say in one line what a device does, for the hint of its cell."""
    held = f", held by request {held_by}" if held_by is not None else ""
    return f"{name}: {words(state)}{held}"
