"""How long a device may take over a task before it has done it, given up or been taken away, computed from its table.

Whoever waits for a device waits at least so long: a slow device that gets on is never abandoned before it gives up.
"""

from functools import lru_cache

from lifeguard.states import DEVICE, PLEASE_EVENTS, DeviceFacts
from mozpool_site.statemachine.bounds import Way, worst_case
from mozpool_site.statemachine.spec import State

# Of each hundred seconds ten more, for deadlines that pass a moment late.
_MARGIN = 1.1
# A person who switches the power is given four hours for it: 240 tries of a minute.
_TRIES_BY_HAND = 239
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


def power_limits(*, by_hand: bool) -> tuple[int, int]:
    """Return how often power that can't be cycled is tried again, before the boot and while an image is checked."""
    ordinary = DeviceFacts()
    return (_TRIES_BY_HAND, _TRIES_BY_HAND) if by_hand else (ordinary.power_limit, ordinary.repower_limit)


def facts_of(image: object, *, by_hand: bool = False) -> DeviceFacts:
    """Return what the table is told of an image (None: of none) on a device whose power a person may have to switch."""
    columns = {name: getattr(image, name) for name in OF_THE_IMAGE} if image is not None else {}
    power, again = power_limits(by_hand=by_hand)
    return DeviceFacts(**columns, power_limit=power, repower_limit=again)


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
