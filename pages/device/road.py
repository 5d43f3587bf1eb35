"""Where a device is on the road of its present task: from power to ready, stop by stop. Pure.

Which states belong to a stop is said here; at which stop a failed device broke down is read from the table's graph.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from devices.models.image import MAINTENANCE, SELF_TEST
from lifeguard.states import DEVICE
from mozpool_site.statemachine.graph import edges


@dataclass(frozen=True)
class Stop:
    """A part of a road, with the states that a device at it may be in."""

    label: str
    states: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A stop as one device sees it: `standing` is passed, here, ahead or failed."""

    label: str
    standing: str


@dataclass(frozen=True)
class Road:
    """The stops of a task, in their order. `name` is the task as people call it."""

    name: str
    stops: tuple[Stop, ...]

    def position(self, states: Iterable[str]) -> int | None:
        """Give the number of the last stop that has any of these states; None when none has."""
        wanted = set(states)
        found = [number for number, stop in enumerate(self.stops) if wanted & set(stop.states)]
        return found[-1] if found else None


_NEW = Stop("New", ("new",))
_NETWORK_POWER = Stop("Power", ("pxe_power_cycling",))
_OWN_POWER = Stop("Power", ("pc_power_cycling",))
_NETWORK_BOOT = Stop("Network boot", ("pxe_booting",))
_LIVE_IMAGE = Stop("Live image", ("mobile_init_started",))
_CHECK = Stop(
    "Check",
    (
        "pc_rebooting",
        "pc_pinging",
        "sut_verifying",
        "port_verifying",
        "sut_verify_power_cycle",
        "sut_sdcard_verifying",
    ),
)
_READY = Stop("Ready", ("ready",))

SELF_TESTING = Road(
    "self-test",
    (_NEW, _NETWORK_POWER, _NETWORK_BOOT, _LIVE_IMAGE, Stop("Self-test", ("self_test_running",)), _READY),
)
INSTALLING = Road(
    "installation",
    (
        _NETWORK_POWER,
        _NETWORK_BOOT,
        _LIVE_IMAGE,
        Stop("Download", ("downloading",)),
        Stop("Write", ("extracting",)),
        _CHECK,
        _READY,
    ),
)
RESTARTING = Road("restart", (_OWN_POWER, _CHECK, _READY))
MAINTAINING = Road(
    "maintenance",
    (_NETWORK_POWER, _NETWORK_BOOT, _LIVE_IMAGE, Stop("Maintenance", ("maintenance_mode",))),
)
_OF_OWN_IMAGES = {SELF_TEST: SELF_TESTING, MAINTENANCE: MAINTAINING}
# Where nothing is being installed, the first road that the state is on.
_OTHERWISE = (RESTARTING, SELF_TESTING, MAINTAINING, INSTALLING)


def road_of(state: str, next_image: str | None) -> Road | None:
    """Give the road that a device is on; None in a state that is on none, such as locked_out."""
    standing = states_behind(state)
    if state == "ready":
        return INSTALLING
    wanted = (_OF_OWN_IMAGES.get(next_image, INSTALLING),) if next_image else ()
    roads = (*wanted, *_OTHERWISE)
    return next((road for road in roads if road.position(standing) is not None), None)


def places(state: str, next_image: str | None) -> tuple[str, tuple[Place, ...]]:
    """Give the task's name and each stop as the device sees it; nothing for a device that is on no road."""
    road = road_of(state, next_image)
    here = road.position(states_behind(state)) if road else None
    if road is None or here is None:
        return "", ()
    broken = "failed" in DEVICE[state].tags
    standings = [
        "passed" if number < here else "ahead" if number > here else "failed" if broken else "here"
        for number in range(len(road.stops))
    ]
    return road.name, tuple(
        Place(stop.label, standing) for stop, standing in zip(road.stops, standings, strict=True)
    )


def states_behind(state: str) -> frozenset[str]:
    """Give the state itself; for a failed one those in which a device breaks down into it."""
    return _broke_down_in(state) if "failed" in DEVICE[state].tags else frozenset({state})


@cache
def _broke_down_in(failed: str) -> frozenset[str]:
    leading = {failed}
    while True:
        # Through states that are never stored, back to those that are.
        more = {edge.state for edge in edges(DEVICE) if edge.target in leading} - leading
        passing = {name for name in more if DEVICE[name].passes_to is not None}
        if not passing:
            return frozenset(
                edge.state
                for edge in edges(DEVICE)
                if edge.target in leading
                and DEVICE[edge.state].passes_to is None
                # What the infrastructure never got done breaks off at every stop.
                and edge.event not in DEVICE.faults
            )
        leading |= passing
