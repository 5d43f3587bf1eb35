"""What each web page costs, at 800 and 8,000 devices: queries, and the time in the process that renders it.

A page is looked at for the first time, when the process remembers nothing of the pool, and again as people do.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.child import Child
from tests.bench.ground import RACK, ground, looking, seeded
from tests.bench.tables import Line, Section, at_most, percentile

_SIZES = (800, 8_000)
# Requests of a month, and lines of the journal, for each device.
_REQUESTS, _LINES = 12, 25
_MOST_MS, _MOST_QUERIES = 300.0, 15
_LOOKS, _QUICK_LOOKS = 12, 4
PATHS = (
    "/", "/racks/", "/racks/p1/", "/devices/", "/devices/?q=panda-07&sort=-since", "/devices/panda-0001/",
    "/devices/panda-0001/log/", "/bmm/", "/bulk/", "/requests/", "/requests/?closed=1", "/requests/new/",
    "/requests/{request}/", "/requests/{request}/log/", "/images/", "/statistics/?days=1", "/statistics/",
    "/statistics/?days=30", "/attention/",
)  # fmt: skip


def measure(quick: bool) -> Section:
    """Measure every page at each size of the pool."""
    lines: list[Line] = []
    for devices in _SIZES[:1] if quick else _SIZES:
        lines += _pages(devices, _QUICK_LOOKS if quick else _LOOKS)
    return Section(
        "Web pages, rendered in one process, on MariaDB",
        lines,
        [
            f"At most {_MOST_QUERIES} queries at the first look; later ones profit from what a process remembers."
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
            told = child.told(path=path, times=looks)
            median = 1000 * percentile(told["seconds"], 0.5)
            what, queries = f"{devices:,} devices, {path}", told["queries"]
            note = f" (the first time {1000 * told['first']:.0f} ms, {queries} queries)"
            yield at_most(what, median, _MOST_MS, "ms", note=note)
            if queries > _MOST_QUERIES:
                yield at_most(f"{what}, queries", queries, _MOST_QUERIES + 1, "queries")
