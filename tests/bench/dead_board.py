"""One of three relay boards is dead: how long all requests wait that healthy devices can serve.

As many requests at once as there are devices on the two other boards. The dead board's devices are free, too, so that
some requests are given one of them first. Against it stands the same without a fault.
"""

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from simlab.pool import Pool
from tests.bench.ground import Sql, ground, looking, seeded
from tests.bench.tables import Line, Section

_RACKS, _EACH = 3, 8
_REQUESTS = (_RACKS - 1) * _EACH
# A board that is up some three seconds after its power has come.
_SPEED = 10.0
_LIMIT_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
_READY = "SELECT COUNT(*) FROM requests_app_request WHERE id > %s AND state = 'ready'"
_OPEN = "SELECT id FROM requests_app_request WHERE state IN ('ready', 'pending', 'finding_device')"
_ADDRESS = "SELECT address FROM devices_powercontroller WHERE name = %s"
_MOVED = "UPDATE devices_powercontroller SET address = %s WHERE name = %s"
_HELD = "SELECT COUNT(*) FROM devices_device WHERE state <> 'ready' OR held_by IS NOT NULL"
_TRUSTED_AGAIN = "UPDATE devices_powercontroller SET suspect_until = NULL, lease_until = NULL"


@dataclass(frozen=True)
class Bench:
    """A running pool, a look into its database, and the name of the board that dies."""

    pool: Pool
    sql: Sql
    board: str

    def serve(self) -> tuple[float, int]:
        """File the requests at once; return the seconds until all are ready, and how many came to be."""
        before = self.sql.number("SELECT COALESCE(MAX(id), 0) FROM requests_app_request")
        begun = time.monotonic()
        with ThreadPoolExecutor(_REQUESTS) as threads:
            list(threads.map(self._file, range(_REQUESTS)))
        ready = 0
        while ready < _REQUESTS and time.monotonic() - begun < _PATIENCE_SECONDS:
            time.sleep(0.02)
            ready = self.sql.number(_READY, [before])
        return time.monotonic() - begun, ready

    def rest(self) -> None:
        """Give all back, and wait until every device is free again."""
        for (request,) in self.sql.rows(_OPEN):
            self._post(f"request/{request}/return/", {})
        end = time.monotonic() + _PATIENCE_SECONDS
        while self.sql.number(_HELD):
            if time.monotonic() > end:
                raise TimeoutError("the devices did not come to rest")
            time.sleep(0.1)
        self.sql.rows(_TRUSTED_AGAIN)

    def _file(self, _: int) -> None:
        self._post("device/any/request/", {"assignee": "bench", "duration": 3600, "image": "android"})

    def _post(self, path: str, body: dict[str, object]) -> None:
        call = urllib.request.Request(f"{self.pool.url}/api/{path}", json.dumps(body).encode(), method="POST")  # noqa: S310
        with urllib.request.urlopen(call, timeout=30):  # noqa: S310 - our own server
            pass


def measure(quick: bool) -> Section:
    """Measure without a fault, and with each way of being dead."""
    lines: list[Line] = []
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        plan = servers.plan(racks=_RACKS, devices=_RACKS * _EACH, lab=True, speed=_SPEED)
        pool = stack.enter_context(seeded(plan, servers.folder / "dead"))
        pool.start()
        sql = stack.enter_context(looking(servers.database))
        bench = Bench(pool, sql, min(pool.control.stats().relay_boards))
        time.sleep(3)  # until the worker listens
        well = min(_served(bench, lambda: None)[0] for _ in range(2 if quick else 3))
        lines.append(Line("without a fault", f"{well:.2f} s"))
        for fault in ("refused", "silence", "garbage"):
            took, ready = _served(bench, lambda fault=fault: _break(bench, fault))  # type: ignore[misc]
            lines.append(_line(f"the board is dead: {fault}", took, ready, well))
        with socket.socket() as nobody:
            took, ready = _served(bench, lambda: _lead_nowhere(bench, nobody))
        lines.append(_line("packets to it vanish", took, ready, well))
    return Section(
        f"One of {_RACKS} relay boards is dead: {_REQUESTS} requests for the {_REQUESTS} devices of the others",
        lines,
        ["From the first request filed until all are ready; the limit is for what the fault costs."],
    )


def _served(bench: Bench, fail: Callable[[], object]) -> tuple[float, int]:
    address = bench.sql.rows(_ADDRESS, [bench.board])[0][0]
    fail()
    try:
        return bench.serve()
    finally:
        bench.sql.rows(_MOVED, [address, bench.board])
        bench.pool.control.heal_relay_board(bench.board)
        bench.rest()


def _break(bench: Bench, fault: str) -> None:
    bench.pool.control.fault_relay_board(bench.board, fault)


def _lead_nowhere(bench: Bench, nobody: socket.socket) -> None:
    """Let the board's address be one whose accept queue is full: what is sent there is not answered at all."""
    nobody.bind(("127.0.0.1", 0))
    nobody.listen(0)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(nobody.getsockname())
    address = f"127.0.0.1:{nobody.getsockname()[1]}"
    bench.sql.rows(_MOVED, [address, bench.board])


def _line(what: str, took: float, ready: int, well: float) -> Line:
    costs = took - well
    met = ready == _REQUESTS and costs <= _LIMIT_SECONDS
    ours = f"{took:.2f} s, {ready} of {_REQUESTS} ready, costs {costs:.2f} s"
    return Line(what, ours, f"costs <= {_LIMIT_SECONDS:g} s", met=met)
