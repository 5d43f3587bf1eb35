"""Fifty open pages, which ask for their news as they do in browsers, and eight who file requests meanwhile."""

import time
from contextlib import ExitStack

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.ground import RACK, ground, looking, seeded
from tests.bench.processes import Used, used
from tests.bench.tables import Line, Section, at_least, at_most, percentile

_DEVICES, _PAGES = 800, 50
_IDLE_SECONDS, _QUICK_IDLE_SECONDS = 12.0, 4.0
_FILED, _QUICK_FILED = 700, 160
_WARM_UP = 64
_RATE = 100.0
# What each of these pages asks for while it is open.
_PATHS = (
    "/live/home/?racks=p1", "/live/devices/?racks=p1,p2", "/live/devices/?racks=p1",
    "/requests/table/", "/attention/part/", "/devices/panda-0001/now/", "/devices/panda-0001/log/lines/",
    "/requests/1/now/",
)  # fmt: skip
_ORDER = {"assignee": "bench", "duration": 3600, "image": "b2g", "b2gbase": "http://images.example/b2g/1/"}
_LOG_IN = """
from django.contrib.auth.models import Group, User
from django.test import Client
user = User.objects.create(username="olga")
user.groups.add(Group.objects.get(name="operator"))
client = Client()
client.force_login(user)
print(client.cookies["sessionid"].value)
"""


class PageFailed(AssertionError):
    """A page was answered with something else than news or that there are none: no figure counts."""


def measure(quick: bool) -> Section:
    """Open the pages, look on while nothing happens, and file."""
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        plan = servers.plan(racks=_DEVICES // RACK, devices=_DEVICES)
        pool = stack.enter_context(seeded(plan, servers.folder / "watched"))
        session = pool.manage("shell", "--no-imports", "-c", _LOG_IN).stdout.strip()
        sql = stack.enter_context(looking(servers.database))
        pool.start_web()
        pool.wait_for_web()
        load = stack.enter_context(
            Child(["-m", "tests.bench.load"], pool.variables, pool.folder / "load.log")
        )
        watchers = stack.enter_context(
            Child(["-m", "tests.bench.watchers"], pool.variables, pool.folder / "watchers.log")
        )
        _file(load, pool, _WARM_UP)
        sql.rows("ANALYZE TABLE devices_device, bmm_operation, requests_app_request, devices_journal")
        alone = _file(load, pool, _QUICK_FILED if quick else _FILED // 2)
        watchers.told(port=pool.port, session=session, paths=_PATHS, pages=_PAGES)
        time.sleep(2)  # each page has been loaded
        before = used(pool.pid("web"))
        idle = _QUICK_IDLE_SECONDS if quick else _IDLE_SECONDS
        time.sleep(idle)
        after = used(pool.pid("web"))
        rate = _file(load, pool, _QUICK_FILED if quick else _FILED // 2)
        told = watchers.told(close=True)
        return _section(alone, rate, before, after, idle, told["statuses"], told["times"])


def _file(load: Child, pool: Pool, total: int) -> float:
    told = load.told(port=pool.port, path="/api/device/any/request/", body=_ORDER, clients=8, total=total)
    if set(told["statuses"]) != {200}:
        raise PageFailed(f"filing was answered with {sorted(set(told['statuses']))}")
    return float(total / told["seconds"])


def _section(
    alone: float,
    rate: float,
    before: Used,
    after: Used,
    idle: float,
    statuses: list[int],
    times: list[float],
) -> Section:
    if set(statuses) - {200, 304}:
        raise PageFailed(f"pages were answered with {sorted(set(statuses))}")
    share = 100 * (after.seconds - before.seconds) / idle
    unchanged = 100 * statuses.count(304) / len(statuses)
    return Section(
        f"{_PAGES} open pages, {_DEVICES} devices, on MariaDB (2 web processes of 4 threads)",
        [
            at_least(
                "filing meanwhile, 8 clients",
                rate,
                _RATE,
                "requests/s",
                note=f" ({alone:.0f}/s without pages)",
            ),
            at_most(
                "a page's question: p99",
                percentile(times, 0.99),
                2.0,
                "s",
                note=f" (p50 {1000 * percentile(times, 0.5):.0f} ms)",
            ),
            Line("of one core while nothing happens", f"{share:.0f} %"),
            Line("answers", f"{len(statuses)}, {unchanged:.0f} % of them 304"),
        ],
        ["Each page asks every 1.5 s with the ETag of what it shows."],
    )
