"""Two hundred who wait for news of their request by a long poll: what they cost, and how late the news comes.

They wait while others file, and then every request is returned: that is the news.
"""

import time
import urllib.request
from contextlib import ExitStack

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.ground import RACK, Ground, Sql, ground, looking, seeded
from tests.bench.processes import Used, used
from tests.bench.tables import Line, Section, at_least, at_most, percentile

_DEVICES, _WAITERS = 800, 200
_WAIT_SECONDS = 60
_QUIET_SECONDS, _QUICK_QUIET_SECONDS = 10.0, 4.0
_FILED_MEANWHILE, _QUICK_FILED = 400, 100
_ORDER = {"assignee": "bench", "duration": 3600, "image": "b2g", "b2gbase": "http://images.example/b2g/1/"}
# One look each half second, and the answers themselves.
_NEWS_SECONDS = 1.0
_CORE_PERCENT = 10.0
_RATE = 100.0
_MIB = 2**20


class NewsLost(AssertionError):
    """Somebody was told too early, wrongly, or not at all: no figure counts."""


def measure(quick: bool) -> Section:
    """Let them wait, and tell them."""
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        pool = stack.enter_context(
            seeded(servers.plan(racks=_DEVICES // RACK, devices=_DEVICES), servers.folder / "waiting")
        )
        sql = stack.enter_context(looking(servers.database))
        pool.start_web()
        pool.wait_for_web()
        load = stack.enter_context(
            Child(["-m", "tests.bench.load"], pool.variables, pool.folder / "load.log")
        )
        waiters = stack.enter_context(
            Child(["-m", "tests.bench.waiters"], pool.variables, pool.folder / "waiters.log")
        )
        return _measure(servers, pool, sql, load, waiters, quick=quick)


def _measure(servers: Ground, pool: Pool, sql: Sql, load: Child, waiters: Child, *, quick: bool) -> Section:
    quiet = _QUICK_QUIET_SECONDS if quick else _QUIET_SECONDS
    _file(load, pool, _WAITERS)
    numbers = [int(str(row[0])) for row in sql.rows("SELECT id FROM requests_app_request ORDER BY id")]
    alone = used(pool.pid("web"))
    waiters.told(port=pool.port, requests=numbers, wait=_WAIT_SECONDS)
    time.sleep(1)  # all are asked for, and looked at once
    connections = sql.number("SELECT COUNT(*) FROM information_schema.processlist WHERE db = 'mozpool'") - 1
    before = used(pool.pid("web"))
    time.sleep(quiet)
    after = used(pool.pid("web"))
    rate = _file(load, pool, _QUICK_FILED if quick else _FILED_MEANWHILE)
    delays = _tell(pool, waiters, numbers)
    return _section(alone, before, after, quiet, connections, rate, delays)


def _file(load: Child, pool: Pool, total: int) -> float:
    told = load.told(port=pool.port, path="/api/device/any/request/", body=_ORDER, clients=8, total=total)
    if set(told["statuses"]) != {200}:
        raise NewsLost(f"filing was answered with {sorted(set(told['statuses']))}")
    return float(total / told["seconds"])


def _tell(pool: Pool, waiters: Child, numbers: list[int]) -> list[float]:
    """Return every request; give the seconds from each return's answer to the news of it."""
    waiters.tell(collect=_WAIT_SECONDS)
    returned: dict[int, float] = {}
    for number in numbers:
        url = f"{pool.url}/api/request/{number}/return/"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30):  # noqa: S310 - our own
            returned[number] = time.monotonic()
    came = waiters.heard()["came"]
    wrong = {
        number: news for number, news in came.items() if (news["status"], news["state"]) != (200, "closed")
    }
    if wrong or len(came) != len(numbers):
        raise NewsLost(
            f"{len(came)} of {len(numbers)} were told, {len(wrong)} wrongly: {list(wrong.items())[:3]}"
        )
    return [came[str(number)]["at"] - moment for number, moment in returned.items()]


def _section(
    alone: Used, before: Used, after: Used, quiet: float, connections: int, rate: float, delays: list[float]
) -> Section:
    share = 100 * (after.seconds - before.seconds) / quiet
    memory = (before.rss - alone.rss) / _MIB
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    return Section(
        f"{_WAITERS} who wait by long poll, {_DEVICES} devices, on MariaDB (2 web processes of 4 threads)",
        [
            at_most("news of a change: median", p50, _NEWS_SECONDS, "s", note=f" (p99 {p99:.2f} s)"),
            at_most("of one core while all wait", share, _CORE_PERCENT, "%"),
            Line("memory for them", f"{memory:.1f} MB ({before.rss / _MIB:.0f} MB with the web processes)"),
            Line("connections to the database meanwhile", str(connections)),
            at_least("filing meanwhile, 8 clients", rate, _RATE, "requests/s"),
        ],
        ["Everybody was told once, of the right state."],
    )
