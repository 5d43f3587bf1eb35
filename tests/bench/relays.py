"""All 32 relays of one board power-cycled at once, through Lifeguard and through BMM alone, on the simulated board.

The board is as slow as a real one: 10 ms a command, a second's rest between connections, one second without power.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.ground import Sql, ground, looking, seeded
from tests.bench.tables import Line, Section, at_most

_RELAYS = 32
_LIMIT_SECONDS = 1.6
_PATIENCE_SECONDS = 60.0
_OLD = {"lifeguard": "204 s", "bmm": "14 cycled, 18 silently lost"}
_NAMES = {"lifeguard": "through Lifeguard", "bmm": "through BMM alone"}


@dataclass(frozen=True)
class Cycled:
    """Seconds from the first ask: until all were asked, the last relay was on again, the last was confirmed."""

    asked: float
    on_again: float
    confirmed: float
    switched: int
    done: int
    connections: int


def measure(quick: bool) -> Section:
    """Measure at both levels, three times each."""
    lines: list[Line] = []
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        # Boards that boot fast: what they do with their power is not what is measured.
        plan = servers.plan(racks=1, devices=_RELAYS, lab=True, speed=10)
        pool = stack.enter_context(seeded(plan, servers.folder / "relays"))
        sql = stack.enter_context(looking(servers.database))
        pool.start_lab()
        for name in (*pool.names("worker"), *pool.names("pulse")):
            pool.start_process(name)
        child = stack.enter_context(Child.with_django("relays", pool.variables, pool.folder / "child.log"))
        _settled(sql)
        for level in ("lifeguard", "bmm"):
            rounds = [_cycle(pool, sql, child, level) for _ in range(1 if quick else 3)]
            lines += _lines(level, rounds)
    return Section(
        "32 relays of one board power-cycled at once (worst of three; of which 1 s is without power)",
        lines,
        [
            "From the first ask until the last relay was on again, by the lab's own account, and all were confirmed."
        ],
    )


def _settled(sql: Sql) -> None:
    """Wait until every device rests in `ready`, nothing is under way, and the worker has had time to start."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while sql.number("SELECT COUNT(*) FROM devices_device WHERE state <> 'ready'") or _open(sql):
        if time.monotonic() > end:
            raise TimeoutError("the devices did not come to rest")
        time.sleep(0.2)
    time.sleep(5)


def _open(sql: Sql) -> int:
    return sql.number("SELECT COUNT(*) FROM bmm_operation WHERE status IN ('queued', 'running')")


def _cycle(pool: Pool, sql: Sql, child: Child, level: str) -> Cycled:
    pool.control.clear_history()
    pool.control.reset_counters()
    before = sql.number("SELECT COALESCE(MAX(id), 0) FROM bmm_operation")
    told = child.told(level=level)
    begun = float(told["begun"])
    finished = _finished(sql, before)
    history = pool.control.history()
    on = [entry.time for entries in history.values() for entry in entries if entry.what == "power_on"]
    off = [name for name, entries in history.items() if any(entry.what == "power_off" for entry in entries)]
    connections = sum(board.connections for board in pool.control.stats().relay_boards.values())
    _settled(sql)
    return Cycled(
        asked=told["asked"] - begun,
        on_again=max(on, default=float("inf")) - begun,
        confirmed=max(finished, default=float("inf")) - begun,
        switched=min(len(on), len(off)),
        done=len(finished),
        connections=connections,
    )


def _finished(sql: Sql, before: int) -> list[float]:
    """Wait until no power cycle is open; give the Unix time at which each was confirmed."""
    end = time.monotonic() + _PATIENCE_SECONDS
    mine = "FROM bmm_operation WHERE kind = 'power_cycle' AND id > %s"
    while sql.number(f"SELECT COUNT(*) {mine} AND status IN ('queued', 'running')", [before]):
        if time.monotonic() > end:
            break
        time.sleep(0.02)
    # Times are stored in UTC; the session's own zone must not shift them.
    stamps = sql.rows(
        f"SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', finished) {mine} AND status = 'done'", [before]
    )
    return [int(str(row[0])) / 1e6 for row in stamps]


def _lines(level: str, rounds: list[Cycled]) -> list[Line]:
    worst = max(rounds, key=lambda found: found.confirmed)
    note = (
        f" (all asked for after {worst.asked:.2f} s, on again after {worst.on_again:.2f} s, "
        f"{worst.connections} connection{'s' if worst.connections != 1 else ''})"
    )
    name = _NAMES[level]
    fewest = min(min(found.switched, found.done) for found in rounds)
    return [
        at_most(name, max(worst.confirmed, worst.on_again), _LIMIT_SECONDS, "s", old=_OLD[level], note=note),
        Line(f"{name}: cycled and confirmed", f"{fewest} of {_RELAYS}", f"{_RELAYS}", met=fewest == _RELAYS),
    ]
