"""What lists, pages and calls cost as a pool grows in devices and in age: each first look at two sizes, side by side.

The larger has eight times the devices and the history of the smaller. How the cost grows counts more than what it is.
"""

from collections.abc import Mapping
from contextlib import ExitStack

from tests.bench.child import Child
from tests.bench.ground import ground, seeded
from tests.bench.tables import Line, Section, percentile

_MOST_MS = 300.0
_PROCESSES = 3
_SMALL = {
    "devices": 1_000, "requests": 40_000, "installs": 40_000, "operations": 60_000, "journal": 100_000,
    "audit": 20_000, "deliveries": 20_000,
}  # fmt: skip
_TIMES = 8
_HOUR = "since={begin}&until={end}"
_PATHS = (
    "/admin/bmm/operation/", "/admin/bmm/operation/?kind__exact=ping", "/admin/lifeguard/install/",
    "/admin/lifeguard/install/?succeeded__exact=0", "/admin/requests_app/request/",
    "/admin/requests_app/request/?state=closed", "/admin/requests_app/request/?q=person-7", "/admin/devices/device/",
    "/admin/devices/device/?q=panda-1000", "/admin/access/auditentry/?q=panda-100011",
    "/admin/requests_app/delivery/?q=request:7", "/admin/requests_app/dailyfigures/",
    "/attention/", "/", "/racks/", "/devices/panda-100011/", "/bmm/",
    "/statistics/?days=1", "/statistics/?days=7", "/statistics/?days=30", "/statistics/?days=90",
    "/statistics/?days=7&environment=staging",
    "/requests/?show=all&assignee=person-7", "/requests/?show=closed&image=b2g&assignee=nobody", "/requests/new/",
    "/live/home/?racks=p1", "/live/devices/?racks=p1",
    "/api/v2/requests/?assignee=person-7", "/api/v2/requests/?tag=zebra", "/api/v2/requests/?environment=nowhere",
    "/api/v2/requests/?owner=ci-7", f"/api/v2/journal/?{_HOUR}&event=nosuch", f"/api/v2/journal/?{_HOUR}&actor=nobody",
)  # fmt: skip


def measure(quick: bool) -> Section:
    """Measure everything at both sizes; at the smaller one and twice that when it is quick."""
    times = 2 if quick else _TIMES
    small, large = _looks(_SMALL), _looks({what: number * times for what, number in _SMALL.items()})
    lines = [_line(path, small[path], large[path], times) for path in _PATHS]
    return Section(
        f"Growth: first looks at {_SMALL['devices']:,} devices and their history, and at {times} times all of it",
        lines,
        [
            f"The middle of the first looks of {_PROCESSES} processes, which remember nothing of the pool; MariaDB."
        ],
    )


def _looks(size: Mapping[str, int]) -> dict[str, float]:
    """Give the milliseconds of each first look."""
    with ground() as servers, ExitStack() as stack:
        plan = servers.plan(racks=1, devices=1)
        pool = stack.enter_context(seeded(plan, servers.folder / "growth", devices=False))
        child = stack.enter_context(Child.with_django("growth", pool.variables, pool.folder / "child.log"))
        child.told(fill=size)
        return {
            path: 1000 * percentile(child.told(path=path, processes=_PROCESSES)["seconds"], 0.5)
            for path in _PATHS
        }


def _line(path: str, small: float, large: float, times: int) -> Line:
    return Line(
        path,
        f"{small:.0f} ms; at {times} times the size {large:.0f} ms ({large / small:.1f} times)",
        f"< {_MOST_MS:g} ms both",
        met=max(small, large) < _MOST_MS,
    )
