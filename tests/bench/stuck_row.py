"""What one row costs the others when its lock is held by a client that hangs in a transaction, or was killed in one."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from simlab.pool import Pool
from tests.bench.child import Child
from tests.bench.ground import RACK, Rows, Sql, ground, looking, seeded
from tests.bench.tables import Line, Section, at_most

_OTHERS_SECONDS, _LOCK_SECONDS = 6.0, 30.0
# What was held up itself goes on so soon after its lock is gone.
_STUCK_SECONDS = 15.0
_OTHERS = 12
_WARM_UP_SECONDS = 5.0
# From setting the scene to the moment at which it all falls due: the row is locked in between.
_AHEAD_SECONDS = 2.0

_DEVICE, _CONTROLLER = "devices_device", "devices_powercontroller"
_OPERATION, _REQUEST = "bmm_operation", "requests_app_request"
# A request that waits for what is nowhere; the columns as the product fills them.
_SOON = f"NOW(6) + INTERVAL {_AHEAD_SECONDS * 1e6:.0f} MICROSECOND"
_REQUEST_ROW = {
    "state": "'finding_device'", "state_seq": "1", "state_since": "NOW(6)", "deadline": _SOON, "counters": "'{}'",
    "environment": "'nowhere'", "tags": "'[]'", "image_id": "image_id", "boot_config": "'{}'", "assignee": "'bench'",
    "owner": "''", "priority": "0", "turn": "NOW(6)", "created": "NOW(6)",
    "wish": "1", "waits_until": "NOW(6) + INTERVAL 1 HOUR", "expires": "NOW(6) + INTERVAL 1 HOUR",
    "task_seq": "0", "filing_digest": "''", "has_webhook": "0",
}  # fmt: skip
_SEQ = "SELECT id, state_seq FROM {table} WHERE id IN ({{numbers}})"


class WrongEnd(AssertionError):
    """A row did not do what it had to: what was timed is no rescue."""


@dataclass(frozen=True)
class _Scene:
    """One row to be locked, the numbers of those that it concerns, and of others; how far each has come."""

    what: str
    table: str
    locked: int
    stuck: tuple[int, ...]
    others: tuple[int, ...]
    progress: str

    def moved(self, sql: Sql, numbers: tuple[int, ...], since: dict[int, str]) -> bool:
        """Whether all of these rows have come further."""
        now = self.seen(sql)
        return all(now[number] != since[number] for number in numbers)

    def seen(self, sql: Sql) -> dict[int, str]:
        """Read how far the rows are."""
        numbers = ",".join(map(str, (*self.stuck, *self.others)))
        return {int(str(pk)): str(far) for pk, far in sql.rows(self.progress.format(numbers=numbers))}


def measure(quick: bool) -> Section:
    """Lock a row of each kind; the client is stopped, and, but for a quick look, killed."""
    lines: list[Line] = []
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        plan = servers.plan(racks=1, devices=RACK, lab=True)
        pool = stack.enter_context(seeded(plan, servers.folder / "stuck"))
        sql = stack.enter_context(looking(servers.database))
        pool.start_lab()
        for name in (*pool.names("worker"), *pool.names("pulse")):
            pool.start_process(name)
        time.sleep(_WARM_UP_SECONDS)
        for number, scene in enumerate((_device, _request, _operation, _controller)):
            lines += _lines(pool, sql, scene, number, signal.SIGSTOP)
            if not quick:
                lines += _lines(pool, sql, scene, number, signal.SIGKILL)
        time.sleep(_STUCK_SECONDS)
        told = pool.manage("check_invariants", check=False)
        if told.returncode:
            raise WrongEnd(f"invariants are broken at the end:\n{told.stdout}{told.stderr}")
    return Section(
        "A row locked by a client in a transaction: one worker and one pulse over a rack of 80, on MariaDB",
        lines,
        [
            "The client has the product's own connection. Timers of others count from the moment when they are due."
        ],
    )


def _lines(
    pool: Pool, sql: Sql, scene_of: Callable[[Sql], _Scene], number: int, end: signal.Signals
) -> Iterator[Line]:
    with Child.with_django("stuck_row", pool.variables, pool.folder / "child.log") as client:
        scene = scene_of(sql)
        due = time.monotonic() + _AHEAD_SECONDS
        before = scene.seen(sql)
        if client.told(lock=scene.table, pk=scene.locked) != {"rows": 1}:
            raise WrongEnd(f"there is no {scene.what} to lock")
        if time.monotonic() > due:
            raise WrongEnd("this machine is too slow: it was due before it was locked")
        os.kill(client.pid, end)
        locked = time.monotonic()
        who = "stopped" if end == signal.SIGSTOP else "killed"
        time.sleep(max(0.0, due - time.monotonic()))
        free = f"SELECT id FROM {scene.table} WHERE id = {scene.locked} FOR UPDATE SKIP LOCKED"  # noqa: S608 - ours
        others = gone = stuck = 0.0
        limit = time.monotonic() + 3 * _LOCK_SECONDS
        while not (others and gone and stuck):
            if time.monotonic() > limit:
                raise WrongEnd(
                    f"{scene.what}, client {who}: others {others}, lock {gone}, the row itself {stuck}"
                )
            if not others and scene.moved(sql, scene.others, before):
                others = max(0.001, time.monotonic() - due)
            if not gone and sql.rows(free):
                gone = time.monotonic() - locked
            if gone and not stuck and scene.moved(sql, scene.stuck, before):
                stuck = max(0.001, time.monotonic() - locked - gone)
            time.sleep(0.02)
        os.kill(client.pid, signal.SIGKILL)
    what = f"{scene.what}, its client {who}"
    yield at_most(f"{what}: the last of {len(scene.others)} others goes on", others, _OTHERS_SECONDS, "s")
    yield at_most(f"{what}: its lock is gone", gone, _LOCK_SECONDS, "s")
    yield at_most(f"{what}: then it goes on itself", stuck, _STUCK_SECONDS, "s")


def _device(sql: Sql) -> _Scene:
    """Let the timers of idle devices fall due."""
    devices = _numbers(
        sql.rows("SELECT id FROM devices_device WHERE state = 'ready' ORDER BY RAND() LIMIT 13")
    )
    _let_fall_due(sql, _DEVICE, devices)
    return _Scene("a device", _DEVICE, devices[0], devices[:1], devices[1:], _SEQ.format(table=_DEVICE))


def _controller(sql: Sql) -> _Scene:
    """Let devices that wait for their power cycle, which got lost, try again; others are idle ones elsewhere."""
    controller = sql.number("SELECT id FROM devices_powercontroller ORDER BY id LIMIT 1")
    stuck = _numbers(
        sql.rows(
            "SELECT id FROM devices_device WHERE state = 'ready' AND power_controller_id = %s LIMIT 12",
            [controller],
        )
    )
    others = _numbers(
        sql.rows(
            "SELECT id FROM devices_device WHERE state = 'ready' AND power_controller_id <> %s "
            "ORDER BY id DESC LIMIT 12",
            [controller],
        )
    )
    _let_fall_due(sql, _DEVICE, others)
    _let_fall_due(
        sql, _DEVICE, stuck, ", state = 'pc_power_cycling', idle_since = NULL, state_seq = state_seq + 1"
    )
    return _Scene("a power controller", _CONTROLLER, controller, stuck, others, _SEQ.format(table=_DEVICE))


def _request(sql: Sql) -> _Scene:
    """Let the timers of requests fall due that nothing fits."""
    sql.rows(
        f"""
        INSERT INTO requests_app_request ({", ".join(_REQUEST_ROW)})
        SELECT {", ".join(_REQUEST_ROW.values())} FROM devices_device ORDER BY id LIMIT {_OTHERS + 1}
        """  # noqa: S608 - all of it is ours
    )
    requests = _numbers(sql.rows(f"SELECT id FROM {_REQUEST} ORDER BY id DESC LIMIT {_OTHERS + 1}"))  # noqa: S608
    return _Scene("a request", _REQUEST, requests[0], requests[:1], requests[1:], _SEQ.format(table=_REQUEST))


def _operation(sql: Sql) -> _Scene:
    """Let pings fall due that somebody asked for."""
    sql.rows(
        f"""
        INSERT INTO bmm_operation (device_id, rack_id, kind, arguments, boot_seq, actor, status, runner, attempts,
        created, not_before, result, message) SELECT id, rack_id, 'ping', '{{}}', 0, 'bench', 'queued', '', 0, NOW(6),
        {_SOON}, '', '' FROM devices_device WHERE state = 'ready' ORDER BY id DESC LIMIT {_OTHERS + 1}
        """  # noqa: S608 - all of it is ours
    )
    pings = _numbers(sql.rows(f"SELECT id FROM bmm_operation ORDER BY id DESC LIMIT {_OTHERS + 1}"))  # noqa: S608
    ended = "SELECT id, status IN ('done', 'failed') FROM bmm_operation WHERE id IN ({numbers})"
    return _Scene("an operation", _OPERATION, pings[0], pings[:1], pings[1:], ended)


def _let_fall_due(sql: Sql, table: str, numbers: tuple[int, ...], more: str = "") -> None:
    if len(numbers) < _OTHERS:
        raise WrongEnd(f"there are only {len(numbers)} rows of {table} to choose from")
    listed = ",".join(map(str, numbers))
    sql.rows(f"UPDATE {table} SET deadline = {_SOON}{more} WHERE id IN ({listed})")  # noqa: S608 - numbers


def _numbers(rows: Rows) -> tuple[int, ...]:
    return tuple(int(str(row[0])) for row in rows)
