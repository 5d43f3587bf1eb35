"""Reading over HTTP: the list of all devices, a page of it, and the state of one, as programs poll them."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.ground import RACK, Ground, Sql, ground, looking, seeded
from tests.bench.processes import processor_seconds
from tests.bench.tables import Line, Section, at_least, at_most, percentile

_LIST = "/api/device/list/?details=1"
_STATE = "/api/device/panda-0001/state/"
_PAGE = "/api/v2/devices/?limit=100"
_OK = 200
_SIZES = (800, 8_000, 80_000)
# Calls of a round with the whole list, by devices.
_WHOLE = {800: 160, 8_000: 32, 80_000: 4}
_POLLS = 3_000
_PAGES = 100
_PAGE_MS = 30.0
# Measured on Mozpool 4.2.1 with SQLite: milliseconds at one client, calls a second at eight.
_OLD_LIST = {800: (6.7, 71.0), 8_000: (59.0, 6.0)}
# Calls a second at one client, and at eight.
_OLD_STATE, _OLD_CACHED = (694.0, 972.0), (1_502.0, 1_767.0)


class ReadFailed(AssertionError):
    """An answer was no 200: no figure counts."""


@dataclass(frozen=True)
class Round:
    """What a number of clients measured with one path."""

    seconds: float
    times: list[float]
    size: int
    queries: float
    web_ms: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.times) / self.seconds

    @property
    def p50_ms(self) -> float:
        """The median in milliseconds."""
        return 1000 * percentile(self.times, 0.5)

    @property
    def note(self) -> str:
        """What else is to be known of it."""
        size = f"{self.size / 1e6:.1f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.3g} kB"
        return f" ({size}, {self.queries:.1f} queries, {self.web_ms:.2f} ms of processor in the web process)"


class Reader:
    """A pool's web process, somebody who calls it, and somebody who counts."""

    def __init__(self, servers: Ground, pool: Pool, generator: Child, sql: Sql) -> None:
        self._servers, self._pool, self._generator, self._sql = servers, pool, generator, sql

    def round(self, path: str, clients: int, total: int) -> Round:
        """Ask for a path so many times."""
        asked, worked = self._selects(), processor_seconds(self._pool.pid("web"))
        told = self._generator.told(port=self._pool.port, path=path, clients=clients, total=total)
        if set(told["statuses"]) != {_OK}:
            raise ReadFailed(f"{path}: {sorted(set(told['statuses']))}")
        return Round(
            told["seconds"],
            told["times"],
            told["sizes"][0],
            (self._selects() - asked) / total,
            1000 * (processor_seconds(self._pool.pid("web")) - worked) / total,
        )

    def page_in_the_middle(self, devices: int) -> str:
        """Walk to the middle of the list; give the path of the page there."""
        path = "/api/v2/devices/?limit=500"
        for _ in range(max(1, devices // 1000)):
            with urllib.request.urlopen(f"{self._pool.url}{path}", timeout=60) as answer:  # noqa: S310 - our own URL
                following = json.load(answer)["next"]
            path = following.removeprefix(self._pool.url)
        return path.replace("limit=500", "limit=100")

    def _selects(self) -> int:
        ((_, number),) = self._sql.rows("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(str(number))


def measure(quick: bool) -> Section:
    """Measure at each size of the pool."""
    lines: list[Line] = []
    for devices in _SIZES[:1] if quick else _SIZES:
        with ground() as servers, ExitStack() as stack:
            reader = _reader(servers, devices, stack)
            lines += _lists(reader, devices, 4 if quick else 1)
            if devices == _SIZES[0]:
                lines += _states(reader, _POLLS // 4 if quick else _POLLS)
    return Section("Reading over HTTP, on MariaDB (2 web processes of 4 threads)", lines)


def _reader(servers: Ground, devices: int, stack: ExitStack) -> Reader:
    plan = servers.plan(racks=devices // RACK, devices=devices)
    pool = stack.enter_context(seeded(plan, servers.folder / "reading"))
    sql = stack.enter_context(looking(servers.database))
    sql.rows("ANALYZE TABLE devices_device")
    pool.start_web()
    pool.wait_for_web()
    generator = stack.enter_context(
        Child(["-m", "tests.bench.load"], pool.variables, pool.folder / "load.log")
    )
    reader = Reader(servers, pool, generator, sql)
    for path, total in ((_LIST, 8), (_PAGE, 32), (_STATE, 200)):  # every thread of both processes warms up
        reader.round(path, 8, total)
    return reader


def _lists(reader: Reader, devices: int, share: int) -> Iterator[Line]:
    total, what = _WHOLE[devices] // share, f"{devices:,} devices"
    one, eight = reader.round(_LIST, 1, max(2, total // 4)), reader.round(_LIST, 8, total)
    old_ms, old_rate = _OLD_LIST.get(devices, (0.0, 0.0))
    if old_ms:
        yield at_most(
            f"{what}, whole list, 1 client", one.p50_ms, old_ms, "ms", old=f"{old_ms} ms", note=one.note
        )
        yield at_least(
            f"{what}, whole list, 8 clients", eight.rate, old_rate, "a second", old=f"{old_rate:g}/s"
        )
    else:
        yield Line(f"{what}, whole list, 1 client", f"{one.p50_ms:.0f} ms{one.note}")
        yield Line(f"{what}, whole list, 8 clients", f"{eight.rate:.1f} a second")
    for where, path in (("first", _PAGE), ("middle", reader.page_in_the_middle(devices))):
        page = reader.round(path, 1, _PAGES // share)
        yield at_most(f"{what}, v2 page of 100, {where}", page.p50_ms, _PAGE_MS, "ms", note=page.note)


def _states(reader: Reader, total: int) -> Iterator[Line]:
    for what, path, old in (
        ("state", _STATE, _OLD_STATE),
        ("cached state", f"{_STATE}?cache=1", _OLD_CACHED),
    ):
        for clients, limit in zip((1, 8, 32), (*old, 0.0), strict=True):
            found = reader.round(path, clients, total)
            name = f"{what}, {clients} client{'s' if clients > 1 else ''}"
            if limit:
                yield at_least(name, found.rate, limit, "a second", old=f"{limit:g}/s", note=found.note)
            else:
                yield Line(name, f"{found.rate:.0f} a second{found.note}")
