"""Filing requests over HTTP: how many a second, how long each takes, and that none is lost and none double.

Every request is for an image that has to be installed, and finds a free device: matching, claiming and the first
steps of device and request are all in the time. Only the web process runs, as nobody else is needed for an answer.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.ground import RACK, Ground, Sql, ground, looking, seeded
from tests.bench.processes import processor_seconds
from tests.bench.tables import Line, Section, at_least, at_most, percentile

_PATH = "/api/device/any/request/"
_BODY = {"assignee": "bench", "duration": 3600, "image": "b2g", "b2gbase": "http://images.example/b2g/1/"}
_OK = 200
# Rounds: clients, and how many requests they file together.
_ROUNDS = ((1, 300), (8, 700), (32, 700))
_QUICK_ROUNDS = ((1, 60), (8, 160))
_WARM_UP = 64
# Measured on Mozpool 4.2.1 with SQLite, by devices: milliseconds at one client, and requests a second at eight.
_OLD = {800: ("29 ms", "29/s"), 8000: ("64 ms", "8/s")}
_P50_MS, _RATE = 20.0, 100.0
_CLEAN = (
    "DELETE FROM bmm_operation",
    "DELETE FROM requests_app_request",
    "DELETE FROM devices_journal",
    """
    UPDATE devices_device SET state = 'ready', held_by = NULL, idle_since = NOW(6), next_image_id = NULL,
    next_boot_config = '', netboot_id = NULL, counters = '{}', result = '', deadline = NOW(6) + INTERVAL 1 HOUR
    """,
)


class NotAsPromised(AssertionError):
    """A request was lost, or a device given twice: no figure counts."""


@dataclass(frozen=True)
class Round:
    """What one round of clients measured."""

    clients: int
    seconds: float
    times: list[float]
    generator: float
    cost: dict[str, float]  # processor milliseconds for each request, by process

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.times) / self.seconds

    def ms(self, share: float) -> float:
        """Give a percentile in milliseconds."""
        return 1000 * percentile(self.times, share)


def measure(quick: bool) -> Section:
    """Measure at each size of the pool."""
    lines: list[Line] = []
    busiest, costs = 0.0, ""
    for devices in (800,) if quick else (800, 8000):
        with ground() as servers:
            for found in _rounds(servers, devices, _QUICK_ROUNDS if quick else _ROUNDS):
                lines += _lines(devices, found)
                busiest = max(busiest, found.generator)
                costs = ", ".join(f"{name} {value:.1f} ms" for name, value in found.cost.items())
    return Section(
        "Filing a request that finds a free device, over HTTP, on MariaDB (2 web processes of 4 threads)",
        lines,
        [
            "Each round: every answer was 200 and named a device; each has its row, each device one holder.",
            f"The load generator used {100 * busiest:.0f} % of a core at most, out of the same cores.",
            f"Processor time of a request in the last round: {costs}.",
        ],
    )


def _rounds(servers: Ground, devices: int, rounds: tuple[tuple[int, int], ...]) -> Iterator[Round]:
    plan = servers.plan(racks=devices // RACK, devices=devices)
    with ExitStack() as stack:
        pool = stack.enter_context(seeded(plan, servers.folder / f"filing-{devices}"))
        sql = stack.enter_context(looking(servers.database))
        pool.start_web()
        pool.wait_for_web()
        words = ["-m", "tests.bench.load"]
        generator = stack.enter_context(Child(words, pool.variables, pool.folder / "load.log"))
        round_of = partial(_round, servers, pool, sql, generator)
        round_of(16, _WARM_UP)
        for clients, total in rounds:
            yield round_of(clients, total)


def _round(servers: Ground, pool: Pool, sql: Sql, generator: Child, clients: int, total: int) -> Round:
    for statement in _CLEAN:
        sql.rows(statement)
    sql.rows("ANALYZE TABLE devices_device, bmm_operation, requests_app_request, devices_journal")
    processes = {"web": pool.pid("web"), "MariaDB": servers.database.pid, "Redis": servers.broker.pid}
    before = {name: processor_seconds(pid) for name, pid in processes.items()}
    told = generator.told(port=pool.port, path=_PATH, body=_BODY, clients=clients, total=total)
    cost = {name: 1000 * (processor_seconds(pid) - before[name]) / total for name, pid in processes.items()}
    _check(told, sql)
    return Round(clients, told["seconds"], told["times"], told["core"], cost)


def _check(told: dict[str, Any], sql: Sql) -> None:
    """Compare what the clients were told with what is stored."""
    refused = [body for status, body in zip(told["statuses"], told["bodies"], strict=True) if status != _OK]
    if refused:
        raise NotAsPromised(
            f"{len(refused)} of {len(told['bodies'])} were refused; the first: {refused[0][:500]}"
        )
    answers = [json.loads(body)["request"] for body in told["bodies"]]
    promised = {int(request["id"]): str(request["assigned_device"]) for request in answers}
    held = sql.rows("SELECT held_by, name FROM devices_device WHERE held_by IS NOT NULL")
    stored = {
        int(str(row[0])) for row in sql.rows("SELECT id FROM requests_app_request WHERE state = 'pending'")
    }
    if len(promised) != len(answers) or len(set(promised.values())) != len(promised):
        raise NotAsPromised("two answers name the same request or the same device")
    if stored != set(promised):
        raise NotAsPromised(f"{len(stored ^ set(promised))} requests are lost, or stored and not told")
    if {int(str(holder)): str(name) for holder, name in held} != promised:
        raise NotAsPromised("devices are held by others than the answers said")


def _lines(devices: int, found: Round) -> Iterator[Line]:
    old_time, old_rate = _OLD[devices]
    what = f"{devices:,} devices, {found.clients} client{'s' if found.clients > 1 else ''}"
    rate = f"{found.rate:.0f}/s"
    tail = f"p99 {found.ms(0.99):.1f} ms"
    if found.clients == 1:
        note = f" p50, {tail}, {rate}"
        yield at_most(what, found.ms(0.5), _P50_MS, "ms", old=f"{old_time}", note=note)
    else:
        note = f" (p50 {found.ms(0.5):.1f} ms, {tail})"
        eight = found.clients == 8
        yield (
            at_least(what, found.rate, _RATE, "requests/s", old=old_rate, note=note)
            if eight
            else Line(what, f"{rate}{note}")
        )
