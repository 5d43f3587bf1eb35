"""Inside a process with Django: what a pass of the pulse costs over a pool of a given size with nothing due."""

import time
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

from django.db import connection

from devices.lab import LabPlan, seed
from mozpool_site import clock
from tests.beats import pool_beats, rack_beats
from tests.bench.child import Order

_EMPTY_FIRST = (
    "requests_app_poollease",
    "bmm_operation",
    "lifeguard_install",
    "devices_journal",
    "requests_app_request",
    "devices_device",
    "devices_powercontroller",
    "devices_rack",
)
_NETWORK = IPv4Network("127.128.0.0/12")
# A pool with a past: for each device a check done and its line in the journal, and a request that has ended.
_PAST = (
    """
    INSERT INTO bmm_operation (device_id, rack_id, kind, arguments, state_seq, boot_seq, actor, status, runner,
    attempts, created, not_before, begun, finished, result, message) SELECT id, rack_id, 'check_health', '{}', 0, 0,
    '', 'done', 'bench', 1, @past, @past, @past, @past, 'ok', '' FROM devices_device
    """,
    """
    INSERT INTO devices_journal (time, device_id, source, actor, event, from_state, to_state, message)
    SELECT @past, id, 'machine', '', 'check_health_ok', '', '', 'port 5555 accepts' FROM devices_device
    """,
    """
    INSERT INTO requests_app_request (state, state_seq, state_since, counters, environment, tags, image_id,
    boot_config, assignee, owner, priority, turn, created, expires, ended, task_seq, filing_digest, has_webhook) SELECT
    'closed', 5, @past, '{}', 'any', '[]', image_id, '{}', 'bench', '', 0, @past, @past, @past, @past, 1, '', 0
    FROM devices_device
    """,
)
# A tenth of the pool in somebody's hands: requests and devices both rest in `ready`.
_HELD = (
    """
    INSERT INTO requests_app_request (state, state_seq, state_since, counters, environment, tags, image_id,
    boot_config, assignee, owner, priority, turn, created, expires, ready_at, task_seq, last_device_id, filing_digest,
    has_webhook) SELECT 'ready', 4, @past, '{}', 'any', '[]', image_id, '{}', 'bench', '', 0, @past, @past, @future,
    @past, 1, id, '', 0 FROM devices_device WHERE id % 10 = 0
    """,
    """
    UPDATE devices_device d JOIN requests_app_request r ON r.last_device_id = d.id SET d.held_by = r.id,
    d.idle_since = NULL, d.task_seq = 1, d.result = 'complete'
    """,
)
_TABLES = ("devices_device", "bmm_operation", "requests_app_request", "devices_journal")


def answer(order: Order) -> Order:
    """Carry out {seed: devices, racks: n}, {hold: true} or {measure: passes}."""
    if "seed" in order:
        _seed(order["seed"], order["racks"])
        return {}
    if "hold" in order:
        _run(_HELD)
        return {}
    return _measure(order["measure"])


def _seed(devices: int, racks: int) -> None:
    _run([f"DELETE FROM {table}" for table in _EMPTY_FIRST])  # noqa: S608 - our own names
    seed(LabPlan(racks=racks, devices=devices, network=_NETWORK))
    _run(_PAST)
    # Nothing is to come due while we look: an idle pass is what is measured.
    _run(["UPDATE devices_device SET deadline = @future"])


def _run(statements: Any) -> None:
    """Run statements, then bring the optimiser's statistics up to date, as InnoDB does itself a little later."""
    with connection.cursor() as cursor:
        cursor.execute("SET @past = NOW(6) - INTERVAL 1 HOUR, @future = NOW(6) + INTERVAL 6 HOUR")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute(f"ANALYZE TABLE {', '.join(_TABLES)}")
        cursor.fetchall()


def _measure(passes: int) -> Order:
    """Time passes a second of the pool's apart, without waiting for it, then look at their queries."""
    beat = _beats()
    first = beat()
    times = [beat() for _ in range(passes)]
    told: list[tuple[str, Any]] = []
    counts: list[int] = []
    # As many passes as it takes for each chore to come round once: the rarest of the frequent is due every 5 s.
    with connection.execute_wrapper(_Listener(told)):
        for _ in range(6):
            before = len(told)
            beat()
            counts.append(len(told) - before)
    return {"first": first, "times": times, "queries": counts, "plans": _plans(told)}


def _beats() -> Callable[[], float]:
    racks, pool = rack_beats(), pool_beats()
    now = clock.now()

    def beat() -> float:
        nonlocal now
        begun = time.perf_counter()
        racks.beat(now)
        pool.beat(now)
        spent = time.perf_counter() - begun
        now += timedelta(seconds=1)
        return spent

    return beat


class _Listener:
    """Keeps each statement with its parameters."""

    def __init__(self, told: list[tuple[str, Any]]) -> None:
        self._told = told

    def __call__(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        self._told.append((sql, parameters))
        return execute(sql, parameters, many, context)


def _plans(told: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Ask the optimiser how it runs each different statement: table, type, key and rows as it estimates them."""
    plans: list[dict[str, Any]] = []
    seen: set[str] = set()
    with connection.cursor() as cursor:
        for sql, parameters in told:
            if sql in seen or not sql.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
                continue
            seen.add(sql)
            cursor.execute(f"EXPLAIN {sql}", parameters)
            names = [str(column[0]) for column in cursor.description]
            for row in cursor.fetchall():
                step = dict(zip(names, row, strict=True))
                plans.append(
                    {
                        "sql": sql,
                        "table": step["table"],
                        "type": step["type"],
                        "key": step["key"],
                        # MariaDB writes "12 (5%)" where it filters by a second index.
                        "rows": int(str(step["rows"] or 0).split()[0]),
                        "extra": step["Extra"],
                    }
                )
    return plans
