"""What each web page costs, at 800 and 8,000 devices: queries, and the time in the process that renders it.

A page is looked at for the first time, right after its process has started and remembers nothing of the pool, and
again as people do. Both are judged.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.child import Child, Order
from tests.bench.ground import RACK, ground, looking, seeded
from tests.bench.tables import Line, Section, percentile

_SIZES = (800, 8_000)
# Requests of a month, and lines of the journal, for each device.
_REQUESTS, _LINES = 12, 25
_MOST_MS, _MOST_QUERIES = 300.0, 15
_LOOKS, _QUICK_LOOKS = 12, 4
# Of the first looks of so many processes the middle one counts.
_PROCESSES = 3
PATHS = (
    "/", "/racks/", "/racks/p1/", "/devices/", "/devices/?q=panda-07&sort=-since", "/devices/panda-0001/",
    "/devices/panda-0001/log/", "/bmm/", "/bulk/", "/requests/", "/requests/?closed=1", "/requests/new/",
    "/requests/{request}/", "/requests/{request}/log/", "/images/", "/statistics/?days=1", "/statistics/",
    "/statistics/?days=30", "/attention/",
)  # fmt: skip


def measure(quick: bool) -> Section:
    """Measure every page at each size of the pool."""
    lines: list[Line] = []
    looks = _QUICK_LOOKS if quick else _LOOKS
    for devices in _SIZES[:1] if quick else _SIZES:
        lines += _pages(devices, looks)
    return Section(
        "Web pages, rendered in one process, on MariaDB",
        lines,
        [
            f"First look: the first of a process after its start, the middle of {_PROCESSES} processes.",
            f"Then: the median of {looks} more looks by one of them.",
        ],
    )


def _pages(devices: int, looks: int) -> Iterator[Line]:
    with ground() as servers, ExitStack() as stack:
        plan = servers.plan(racks=devices // RACK, devices=devices)
        pool = stack.enter_context(seeded(plan, servers.folder / "pages"))
        child = stack.enter_context(Child.with_django("pages", pool.variables, pool.folder / "child.log"))
        child.told(fill=_REQUESTS * devices, journal=_LINES * devices)
        sql = stack.enter_context(looking(servers.database))
        sql.rows("ANALYZE TABLE devices_device, requests_app_request, lifeguard_install, devices_journal")
        for path in PATHS:
            yield _line(
                f"{devices:,} devices, {path}", child.told(path=path, processes=_PROCESSES, times=looks)
            )


def _line(what: str, told: Order) -> Line:
    first, then = (1000 * percentile(told[looks], 0.5) for looks in ("first", "seconds"))
    queries = told["queries"]
    return Line(
        what,
        f"first look {first:.0f} ms, {queries} queries; then {then:.0f} ms",
        f"< {_MOST_MS:g} ms both, {_MOST_QUERIES} queries",
        met=max(first, then) < _MOST_MS and queries <= _MOST_QUERIES,
    )
