"""A hundred devices, two hundred requests, boards that fail: everybody is served or told honestly."""

import random
import time
from collections import Counter

from simlab.pool import Pool
from tests.e2e.clients import Clients, Errand, overlaps, percentile
from tests.e2e.observer import Observer
from tests.e2e.report import tell

REQUESTS = 200
RATES = {"hang_at_boot": 0.03, "install_fails": 0.03, "hang_in_install": 0.02, "lose_image": 0.03}
# What a board's history shows when it failed, or was given up by a live image that failed.
BOARD_FAULTS = ("hung", "install_failed", "image_lost", "no_image", "stopped:")


def errands(seed: int, number: int = REQUESTS, spread: float = 12.0, name: str = "client") -> list[Errand]:
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
        if any(entry.time >= since and entry.what.startswith(BOARD_FAULTS) for entry in history)
    }


def set_rates(pool: Pool, rates: dict[str, float]) -> None:
    """Give every board of the lab the same habits from its next boot on."""
    for name in pool.control.boards():
        pool.control.set_faults(name, rates)


def test_two_hundred_requests_on_a_hundred_devices_that_fail_now_and_then(e2e_pool: Pool, observer: Observer) -> None:
    set_rates(e2e_pool, RATES)
    since, began = time.time(), time.monotonic()
    crowd = Clients(e2e_pool.url, errands(seed=1))
    crowd.start()
    assert crowd.join(120), observer.states("requests_app_request")
    took = time.monotonic() - began
    set_rates(e2e_pool, {})
    outcomes = Counter(errand.seen[-1] if errand.seen else errand.error for errand in crowd.errands)
    tell(
        "load",
        f"{REQUESTS} requests on 100 devices in {took:.1f} s: {dict(outcomes)}; "
        f"calls: {len(crowd.calls)}, p50 {1000 * percentile([c.seconds for c in crowd.calls], 0.5):.0f} ms, "
        f"p99 {1000 * percentile([c.seconds for c in crowd.calls], 0.99):.0f} ms",
    )
    assert [errand.error for errand in crowd.errands if errand.error] == []
    assert [errand.name for errand in crowd.errands if not (errand.served or errand.failed_honestly)] == []
    # Boards fail once in ten installs or so, and a request may try ten of them.
    assert outcomes["closed"] >= REQUESTS - 10
    assert overlaps(crowd.errands) == []
    assert observer.doubles == []
    assert observer.looks > 20
    assert observer.number("SELECT COUNT(*) FROM requests_app_request") == REQUESTS
    e2e_pool.manage("check_invariants")
    failing = observer.ask("SELECT name FROM devices_device WHERE failures > 0 OR health = 'bad'")
    assert {str(row[0]) for row in failing} <= faulty_boards(e2e_pool, since)
    for process in ("web", "worker.p1", "worker.p2", "pulse.p1", "pulse.p2", "pulse"):
        assert "Traceback" not in e2e_pool.log(process), e2e_pool.log(process)[-3000:]
