"""What orchestration adds to the boards' own time: a request's seconds from filed to ready, less those of its board.

A board's own time runs from the moment that its power goes (its last `power_off` in the lab's history, so the
second without power is the hardware's) until its image is up. All times are wall time of one machine.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from simlab.pool import Pool
from tests.bench.ground import Sql, ground, looking, seeded
from tests.bench.tables import Line, Section

# Ten times as fast as real boards: a reimage of some 12 s, a reuse of some 3 s.
_SPEED = 10.0
_RACKS, _DEVICES = 4, 64
_AT_ONCE = 16
_LIMITS = {False: 0.35, True: 0.8}
_PATIENCE_SECONDS = 120.0
_B2G = {"image": "b2g", "b2gbase": "http://images.example/b2g/1/"}
_ANDROID = {"image": "android"}
_OLD_REIMAGE, _OLD_REUSE = "60 s added to 147 s", "126 s added to 9 s"
_STILL_WAITING = """
    SELECT COUNT(*) FROM requests_app_request
    WHERE id BETWEEN %s AND %s AND state IN ('finding_device', 'contacting_lifeguard', 'pending')
"""
# Unix time in microseconds: stored in UTC, and no session's time zone comes in.
_TIMES = """
    SELECT state, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ready_at)
    FROM requests_app_request WHERE id = %s
"""


class NotReady(Exception):
    """A request came to something else than a ready device; the message says what."""


@dataclass(frozen=True)
class Served:
    """One request: seconds until its board lost power, of the board itself, and from its image up until ready."""

    before: float
    own: float
    after: float

    @property
    def added(self) -> float:
        """Seconds that orchestration added."""
        return self.before + self.after


@dataclass(frozen=True)
class Bench:
    """A running pool and a look into its database; one for each thread, as connections can't be shared."""

    pool: Pool
    sql: Sql

    def serve(self, names: Sequence[str], wish: dict[str, str]) -> list[Served]:
        """Request all the named devices at once, wait until each is ready, give them back and wait for that."""
        requests = {name: self._file(name, wish) for name in names}
        self._wait(requests.values())
        served = [self._served(name, request) for name, request in requests.items()]
        for request in requests.values():
            self._post(f"request/{request}/return/", {})
        return served

    def _file(self, name: str, wish: dict[str, str]) -> int:
        body = {"assignee": "bench", "duration": 3600, **wish}
        return int(self._post(f"device/{name}/request/", body)["request"]["id"])

    def _post(self, path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        call = urllib.request.Request(f"{self.pool.url}/api/{path}", json.dumps(body).encode(), method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(call, timeout=30) as answer:  # noqa: S310 - our own server
                found: dict[str, dict[str, str]] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            raise NotReady(f"{path}: {error.code} {error.read()[:500]!r}") from error

    def _wait(self, requests: Collection[int]) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while self.sql.number(_STILL_WAITING, [min(requests), max(requests)]):
            if time.monotonic() > end:
                raise NotReady(
                    f"requests {min(requests)} to {max(requests)} took over {_PATIENCE_SECONDS:g} s"
                )
            time.sleep(0.1)

    def _served(self, name: str, request: int) -> Served:
        state, filed, ready = self.sql.rows(_TIMES, [request])[0]
        if state != "ready":
            raise NotReady(f"request {request} for {name} is {state}")
        begun, done = int(str(filed)) / 1e6, int(str(ready)) / 1e6
        history = [entry for entry in self.pool.control.board(name).history if entry.time >= begun]
        cuts = [entry.time for entry in history if entry.what == "power_off"]
        ups = [entry.time for entry in history if entry.what == "image_up"]
        if len(cuts) != 1 or len(ups) != 1:
            raise NotReady(
                f"{name} was power-cycled {len(cuts)} times for one request, and up {len(ups)} times"
            )
        return Served(before=cuts[0] - begun, own=ups[0] - cuts[0], after=done - ups[0])


def measure(quick: bool) -> Section:
    """Measure one request after another, and a rack's boards at once."""
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        plan = servers.plan(racks=_RACKS, devices=_DEVICES, lab=True, speed=_SPEED)
        pool = stack.enter_context(seeded(plan, servers.folder / "overhead"))
        pool.start()
        benches = [Bench(pool, stack.enter_context(looking(servers.database))) for _ in range(3)]
        time.sleep(3)  # until the worker listens
        lines = _single(benches, rounds=1 if quick else 3)
        lines += _together(benches[0], quick)
    return Section(
        f"Seconds that orchestration adds to the boards' own (simulated boards at {_SPEED:g} times their speed)",
        lines,
        [
            "before: filed to power off; own: power off to image up; after: image up to the request ready. Medians."
        ],
    )


def _single(benches: list[Bench], rounds: int) -> list[Line]:
    """Serve one request after another: three lanes on racks of their own, each one at a time."""
    lanes = (
        ("reimage (agent check)", _name(1), _B2G, 0, rounds, _OLD_REIMAGE),
        ("reuse, agent check", _name(2), _B2G, 1, 3 * rounds, _OLD_REUSE),
        ("reuse, TCP check", _name(3), _ANDROID, 0, 4 * rounds, _OLD_REUSE),
    )

    def lane(number: int) -> list[Served]:
        _, name, wish, unmeasured, count, _ = lanes[number]
        served: list[Served] = []
        for turn in range(unmeasured + count):
            # A new build each time: a device that has this very one would only be power-cycled.
            build = {"b2gbase": f"http://images.example/b2g/{turn}/"} if number == 0 else {}
            served += benches[number].serve([name], {**wish, **build})
        return served[unmeasured:]

    with ThreadPoolExecutor(len(lanes)) as threads:
        results = list(threads.map(lane, range(len(lanes))))
    return [
        _line(f"{lane[0]}, one by one", found, lane[5], together=False)
        for lane, found in zip(lanes, results, strict=True)
    ]


def _together(bench: Bench, quick: bool) -> list[Line]:
    """Serve the boards of the last rack, all at once."""
    names = [_name(4, place) for place in range(_AT_ONCE)]
    plans = [("reuse, TCP check", _ANDROID, _OLD_REUSE), ("reimage (agent check)", _B2G, _OLD_REIMAGE)]
    if not quick:
        plans.append(("reuse, agent check", _B2G, _OLD_REUSE))
    return [
        _line(f"{what}, {_AT_ONCE} at once on one rack", bench.serve(names, wish), old, together=True)
        for what, wish, old in plans
    ]


def _name(rack: int, place: int = 0) -> str:
    return f"panda-{(rack - 1) * _DEVICES // _RACKS + place + 1:04d}"


def _line(what: str, served: list[Served], old: str, *, together: bool) -> Line:
    added = [item.added for item in served]
    before = median(item.before for item in served)
    after = median(item.after for item in served)
    own = median(item.own for item in served)
    ours = (
        f"{median(added):.2f} s, max {max(added):.2f} s "
        f"(before {before:.2f} s, after {after:.2f} s; own {own:.1f} s; n = {len(served)})"
    )
    limit = _LIMITS[together]
    return Line(what, ours, f"median <= {limit:g} s", old, median(added) <= limit)
