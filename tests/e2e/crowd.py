"""The same crowd of clients for every end-to-end test, and the questions asked when it has gone home."""

import random
import time

from simlab.pool import Pool
from tests.e2e.clients import Errand
from tests.e2e.observer import Observer

# What a board's history shows when it failed, or when its live image gave up.
_BOARD_FAULTS = ("hung", "install_failed", "image_lost", "no_image", "stopped:")


def errands(name: str, number: int, *, seed: int, spread: float) -> list[Errand]:
    """Make a crowd that comes over `spread` seconds and wants mixed images."""
    chances = random.Random(seed)
    return [
        Errand(
            name=f"{name}-{index}",
            image=chances.choice(("b2g", "android", "android", "linux")),
            begins_after=chances.uniform(0, spread),
            hold=chances.uniform(0.5, 1.5),
        )
        for index in range(number)
    ]


def faulty_boards(pool: Pool, since: float) -> set[str]:
    """Name the boards that failed in some way since a moment (Unix time)."""
    return {
        name
        for name, history in pool.control.history().items()
        if any(entry.time >= since and entry.what.startswith(_BOARD_FAULTS) for entry in history)
    }


def set_rates(pool: Pool, rates: dict[str, float]) -> None:
    """Give every board of the lab the same habits from its next boot on."""
    for name in pool.control.boards():
        pool.control.set_faults(name, rates)


def settled(pool: Pool, observer: Observer, seconds: float) -> float:
    """Wait until no request lives and every device rests; give how long it took, and raise if it takes longer."""
    began = time.monotonic()
    restless = (
        "SELECT (SELECT COUNT(*) FROM requests_app_request WHERE ended IS NULL) + (SELECT COUNT(*) FROM devices_device "
        "WHERE held_by IS NOT NULL OR state NOT IN ('ready') AND state NOT LIKE 'failed%%')"
    )
    if observer.wait_for(restless, 0, seconds) is None:
        states = observer.states()
        raise AssertionError(f"not settled after {seconds:g} s: {states}")
    pool.manage("check_invariants")
    return time.monotonic() - began
