"""A hundred devices, two hundred requests, boards that fail: everybody is served or told honestly."""

import time
from collections import Counter

from simlab.pool import Pool
from tests.e2e.clients import Clients, overlaps
from tests.e2e.crowd import errands, faulty_boards, set_rates, settled
from tests.e2e.http_calls import latencies
from tests.e2e.observer import Observer
from tests.e2e.report import tell

REQUESTS = 200
PROCESSES = ("web", "worker.p1", "worker.p2", "pulse.p1", "pulse.p2", "pulse")
RATES = {"hang_at_boot": 0.03, "install_fails": 0.03, "hang_in_install": 0.02, "lose_image": 0.03}


def test_two_hundred_requests_on_a_hundred_devices_that_fail_now_and_then(
    e2e_pool: Pool, observer: Observer
) -> None:
    set_rates(e2e_pool, RATES)
    since, began = time.time(), time.monotonic()
    before = {process: len(e2e_pool.log(process)) for process in PROCESSES}
    crowd = Clients(e2e_pool.port, errands("load", REQUESTS, seed=1, spread=8))
    crowd.start()
    assert crowd.join(120), observer.states()
    took = time.monotonic() - began
    set_rates(e2e_pool, {})
    outcomes = Counter(errand.seen[-1] if errand.seen else errand.error for errand in crowd.errands)
    tell(
        "load",
        f"{REQUESTS} requests on 100 devices in {took:.1f} s: {dict(outcomes)}; calls: {latencies(crowd.calls)}",
    )
    assert [errand.error for errand in crowd.errands if errand.error] == []
    assert [errand.name for errand in crowd.errands if not (errand.served or errand.failed_honestly)] == []
    # Boards fail once in ten installs or so, and a request may try ten of them.
    assert outcomes["closed"] >= REQUESTS - 10
    assert overlaps(crowd.errands) == []
    assert observer.doubles == []
    assert observer.looks > 20
    assert (
        observer.number("SELECT COUNT(*) FROM requests_app_request WHERE assignee LIKE 'load-%%'") == REQUESTS
    )
    settled(e2e_pool, observer, 60)
    failing = observer.ask("SELECT name FROM devices_device WHERE failures > 0 OR health = 'bad'")
    assert {str(row[0]) for row in failing} <= faulty_boards(e2e_pool, since)
    for process in PROCESSES:
        written = e2e_pool.log(process)[before[process] :]
        assert "Traceback" not in written, f"{process}: {written[-3000:]}"
