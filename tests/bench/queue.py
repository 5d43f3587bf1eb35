"""What a long queue costs: filing, returning, a pass of matching and idling, with builds that wait by the thousand.

All devices of production are held and every build waits for one there, so nothing is free for it; filings are for the
other environment, where devices are. A device that is given back goes to the first in turn in the same call.
"""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.filing import NotAsPromised
from tests.bench.ground import RACK, Ground, Sql, ground, looking, seeded
from tests.bench.tables import Line, Section, at_most, percentile

_DEVICES = 800
_WAITING = (0, 1_000, 10_000)
_FILED, _RETURNED, _PASSES = 60, 60, 10
_QUICK_FILED, _QUICK_RETURNED, _QUICK_PASSES = 20, 20, 5
_RETURN_MS, _PASS_MS, _PASS_QUERIES, _IDLE_STATEMENTS = 25.0, 50.0, 20, 50.0
_IDLE_SECONDS, _WARM_UP_SECONDS = 10.0, 6.0
_OK = (200, 204)
_BODY = {
    "assignee": "bench", "duration": 3600, "image": "b2g", "environment": "staging",
    "b2gbase": "http://images.example/b2g/1/",
}  # fmt: skip


def measure(quick: bool) -> Section:
    """Measure at each length of the queue."""
    lines: list[Line] = []
    for waiting in _WAITING:
        with ground() as servers:
            lines += _at(servers, waiting, quick=quick)
    return Section(
        f"A long queue of distinct builds, {_DEVICES} devices, over HTTP, on MariaDB (2 web processes, one pulse)",
        lines,
        ["Each device that was given back went to the first in turn, and each filing got a device."],
    )


def _at(servers: Ground, waiting: int, *, quick: bool) -> Iterator[Line]:
    filed, returned = (_QUICK_FILED, _QUICK_RETURNED) if quick else (_FILED, _RETURNED)
    what = f"{waiting:,} waiting"
    with ExitStack() as stack:
        plan = servers.plan(racks=_DEVICES // RACK, devices=_DEVICES)
        pool = stack.enter_context(seeded(plan, servers.folder / "queue"))
        sql = stack.enter_context(looking(servers.database))
        child = stack.enter_context(Child.with_django("queue", pool.variables, pool.folder / "child.log"))
        held = child.told(hold=returned)["held"]
        if child.told(wait=waiting)["first"] != waiting:
            raise NotAsPromised(f"{waiting} builds were to wait")
        found = child.told(passes=_QUICK_PASSES if quick else _PASSES)
        if found["served"]:
            raise NotAsPromised("somebody was served although nothing is free")
        pass_ms = 1000 * percentile(found["times"], 0.5)
        yield at_most(
            f"{what}: a pass of matching", pass_ms, _PASS_MS, "ms", note=f", {found['queries']} queries"
        )
        yield _whole(f"{what}: queries of a pass", found["queries"], _PASS_QUERIES)
        pool.start_web()
        pool.wait_for_web()
        yield _filing(pool, filed, what)
        yield _returning(pool, sql, held, waiting, what)
        yield _idling(pool, sql, what)


def _filing(pool: Pool, number: int, what: str) -> Line:
    times = []
    for _ in range(number + 1):
        begun = time.perf_counter()
        answer = _post(pool, "/api/device/any/request/", _BODY)
        times.append(time.perf_counter() - begun)
        if not answer["request"]["assigned_device"]:
            raise NotAsPromised("a filing got no device although devices are free")
    return Line(f"{what}: filing", f"{1000 * percentile(times[1:], 0.5):.1f} ms p50")


def _returning(pool: Pool, sql: Sql, held: list[int], waiting: int, what: str) -> Line:
    rows = sql.rows(
        "SELECT id FROM requests_app_request WHERE state = 'finding_device' AND tags = '[]' "
        "ORDER BY turn, id LIMIT %s",
        [len(held)],
    )
    turns = [int(str(row[0])) for row in rows]
    times = []
    for number, request in enumerate(held):
        begun = time.perf_counter()
        _post(pool, f"/api/request/{request}/return/", {})
        times.append(time.perf_counter() - begun)
        if (
            waiting
            and sql.number("SELECT COUNT(*) FROM devices_device WHERE held_by = %s", [turns[number]]) != 1
        ):
            raise NotAsPromised(f"request {turns[number]} was first in turn, and got nothing")
    note = f" p50, p99 {1000 * percentile(times, 0.99):.1f} ms"
    return at_most(f"{what}: returning", 1000 * percentile(times, 0.5), _RETURN_MS, "ms", note=note)


def _idling(pool: Pool, sql: Sql, what: str) -> Line:
    # What was filed and returned is to rest, too: only those who wait are looked at.
    sql.rows("UPDATE devices_device SET deadline = NOW(6) + INTERVAL 6 HOUR WHERE deadline IS NOT NULL")
    sql.rows("DELETE FROM bmm_operation")
    sql.rows("UPDATE requests_app_request SET deadline = NOW(6) + INTERVAL 6 HOUR WHERE deadline IS NOT NULL")
    (name, *_) = pool.names("pulse")
    pool.start_process(name)
    time.sleep(_WARM_UP_SECONDS)
    before = _statements(sql)
    time.sleep(_IDLE_SECONDS)
    each = (_statements(sql) - before) / _IDLE_SECONDS
    return at_most(f"{what}: statements a second while idle", each, _IDLE_STATEMENTS, "/s")


def _statements(sql: Sql) -> int:
    return int(str(sql.rows("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1]))


def _whole(what: str, value: int, limit: int) -> Line:
    return Line(what, f"{value}", f"<= {limit}", met=value <= limit)


def _post(pool: Pool, path: str, body: dict[str, object]) -> dict[str, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", pool.port, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status not in _OK:
        raise NotAsPromised(f"{path} answered {answer.status}: {text[:300]!r}")
    found: dict[str, dict[str, object]] = json.loads(text) if text else {}
    return found
