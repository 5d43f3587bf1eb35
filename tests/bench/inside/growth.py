"""Inside a process that has started as a web process does: fills a pool with years of work, and looks at what grows."""

from datetime import timedelta

from mozpool_site import clock
from requests_app.daily import add_up_next, add_up_next_hour
from tests.bench.child import Order
from tests.bench.inside.pages import in_new_process, log_in
from tests.large_pool import Size, fill


def answer(order: Order) -> Order:
    """Carry out {fill: {what: number}}, or {path, processes}: look at it for the first time in so many processes.

    Gives the queries of a first look, and the seconds of each process's.
    """
    if "fill" in order:
        fill(Size(**order["fill"]))
        while add_up_next_hour(clock.now()) or add_up_next(clock.now()):
            pass
        log_in("admin")
        return {}
    end = clock.now() - timedelta(hours=1)
    path = order["path"].format(
        begin=f"{end - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", end=f"{end:%Y-%m-%dT%H:%M:%SZ}"
    )
    told = [in_new_process(path, 0) for _ in range(order["processes"])]
    return {"queries": told[0][0], "seconds": [seconds[0] for _, seconds in told]}
