"""How long a device may take over a task before it has done it, given up or been taken away, computed from its table.

Whoever waits for a device waits at least so long: a slow device that gets on is never abandoned before it gives up.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache

from bmm.controller_traits import Traits
from lifeguard.states import DEVICE, PLEASE_EVENTS, DeviceFacts
from mozpool_site.statemachine.bounds import Way, worst_case
from mozpool_site.statemachine.spec import State

# Of each hundred seconds ten more, for deadlines that pass a moment late.
_MARGIN = 1.1
# A person who switches the power is given four hours for it: 240 tries of a minute.
_TRIES_BY_HAND = 239
_ORDINARY = Traits()
_TELLING = frozenset({"report_complete", "report_failure", "report_unreachable", "withdraw"})
_TASKS = ("start_pxe_boot", "start_power_cycle")
# Columns of an image that have the names of facts.
OF_THE_IMAGE = frozenset(
    {
        "verification",
        "download_timeout",
        "download_limit",
        "install_timeout",
        "install_limit",
        "verify_timeout",
        "verify_limit",
        "settle_seconds",
    }
)


def _settles(state: State) -> bool:
    return state.name == "ready" or "steady" in state.tags or bool(_TELLING & {*state.writes})


SETTLED = frozenset(state.name for state in DEVICE.states if _settles(state))


@dataclass(frozen=True)
class Power:
    """What a device's power controller makes of the table: facts by the names that they have there."""

    power_timeout: float
    power_limit: int
    repower_limit: int


def power_of(controller: Traits) -> Power:
    """Return how long power may take, and how often it is tried again before the boot and while an image is checked."""
    ordinary = DeviceFacts()
    limits = (ordinary.power_limit, ordinary.repower_limit)
    return Power(
        ordinary.power_timeout + controller.extra_seconds,
        *((_TRIES_BY_HAND, _TRIES_BY_HAND) if controller.by_hand else limits),
    )


def facts_of(image: object, controller: Traits = _ORDINARY) -> DeviceFacts:
    """Return what the table is told of an image (None: of none) on a device with such a power controller."""
    columns = {name: getattr(image, name) for name in OF_THE_IMAGE} if image is not None else {}
    return DeviceFacts(**columns, **asdict(power_of(controller)))


@lru_cache(4096)
def task_seconds(facts: DeviceFacts, *, with_faults: bool = False) -> float:
    """Return the most seconds that bringing an image onto a device, or booting it again, takes to end in any way.

    Faults of the infrastructure are left out, unless they are asked for: they may add a day.
    """
    unheard = frozenset() if with_faults else frozenset(DEVICE.faults)
    way = Way(facts, known=frozenset({"verification"}), without=frozenset(PLEASE_EVENTS) | unheard)
    return max(worst_case(DEVICE, task, SETTLED, way) for task in _TASKS)


def patience(facts: DeviceFacts, *, with_faults: bool = False) -> float:
    """Return for how many seconds to wait for a device: its worst case, and some for deadlines that pass late."""
    return _MARGIN * task_seconds(facts, with_faults=with_faults)
