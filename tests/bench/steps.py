"""Steps of the device machine a second, through the real runner: each locks its row, decides, writes, journals, rings.

The cycle is a self-test: power cycle asked for, live image up, test running, test passed.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.ground import RACK, Ground, ground, seeded
from tests.bench.tables import Line, Section, percentile

_DEVICES = 160
_PROCESSES = (1, 4)
_SECONDS = 5.0
_QUICK_SECONDS = 1.5
# Devices that one process takes in turn.
_EACH = 10


class NotMoved(AssertionError):
    """A step that should have moved its device did not: what was timed is no cycle."""


def measure(quick: bool) -> Section:
    """Measure on both databases, by one process and by four."""
    seconds = _QUICK_SECONDS if quick else _SECONDS
    lines: list[Line] = []
    with ground() as servers:
        for name in ("MariaDB", "SQLite"):
            with _pool(servers, name) as pool:
                lines += [_line(name, count, _together(pool, count, seconds)) for count in _PROCESSES]
    return Section(
        "Steps of the device machine, through the runner (a transaction each; MariaDB with durable defaults)",
        lines,
        ["Four processes share the cores with the database. SQLite has one writer at a time by its nature."],
    )


@contextmanager
def _pool(servers: Ground, database: str) -> Iterator[Pool]:
    plan = servers.plan(racks=_DEVICES // RACK, devices=_DEVICES)
    if database == "SQLite":
        plan = replace(plan, database_url=f"sqlite:///{servers.folder / 'steps.sqlite3'}")
    with seeded(plan, servers.folder / f"steps-{database}") as pool:
        yield pool


def _together(pool: Pool, processes: int, seconds: float) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        children = [
            stack.enter_context(Child.with_django("steps", pool.variables, pool.folder / "child.log"))
            for _ in range(processes)
        ]
        shares = [_names(number) for number in range(processes)]
        for child, names in zip(children, shares, strict=True):
            child.told(names=names, warm_up=True)
        for child, names in zip(children, shares, strict=True):
            child.tell(names=names, seconds=seconds)
        return [child.heard() for child in children]


def _names(process: int) -> list[str]:
    return [f"panda-{number:04d}" for number in range(process * _EACH + 1, (process + 1) * _EACH + 1)]


def _line(database: str, processes: int, found: list[dict[str, Any]]) -> Line:
    still = sum(result["still"] for result in found)
    if still:
        raise NotMoved(f"{still} steps on {database} moved no device")
    rate = sum(len(result["times"]) / result["seconds"] for result in found)
    times = [1000 * value for result in found for value in result["times"]]
    what = f"{database}, {processes} process{'es' if processes > 1 else ''}"
    return Line(
        what,
        f"{rate:.0f} steps/s (p50 {percentile(times, 0.5):.1f} ms, p99 {percentile(times, 0.99):.1f} ms)",
    )
