"""What an idle pool of 800 devices costs: memory and processor time of worker and pulse, with the health checks."""

import time
from collections.abc import Iterable
from contextlib import ExitStack

from tests.bench.ground import RACK, Sql, ground, looking, seeded
from tests.bench.processes import Used, used
from tests.bench.tables import Line, Section, at_most

_DEVICES = 800
_SECONDS = 60.0
_QUICK_SECONDS = 15.0
# The processes start, connect, and do for the first time what they do for ever.
_WARM_UP_SECONDS = 8.0
_MEMORY_MB, _CORE_PERCENT = 250.0, 3.0
_MIB = 2**20


def measure(quick: bool) -> Section:
    """Let the pool be idle for a minute and look on."""
    seconds = _QUICK_SECONDS if quick else _SECONDS
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        plan = servers.plan(racks=_DEVICES // RACK, devices=_DEVICES, lab=True)
        pool = stack.enter_context(seeded(plan, servers.folder / "idle"))
        sql = stack.enter_context(looking(servers.database))
        pool.start_lab()
        names = (*pool.names("worker"), *pool.names("pulse"))
        for name in names:
            pool.start_process(name)
        time.sleep(_WARM_UP_SECONDS)
        checks, before = _checks(sql), {name: used(pool.pid(name)) for name in names}
        time.sleep(seconds)
        after = {name: used(pool.pid(name)) for name in names}
        checked = _checks(sql) - checks
        awry = sql.number("SELECT COUNT(*) FROM devices_device WHERE state <> 'ready'")
        lab_mb = pool.control.stats().rss_bytes / _MIB
    lines = _lines(before, after, seconds)
    per_minute = 60 * checked / seconds
    lines.append(Line("devices in `ready` at the end", f"{_DEVICES - awry}", f"{_DEVICES}", met=awry == 0))
    lines.append(
        Line("health checks meanwhile", f"{per_minute:.0f} a minute", "about 80", met=40 <= per_minute <= 160)
    )
    remarks = [f"For scale, not counted: the simulated lab itself is {lab_mb:.0f} MB resident."]
    return Section(
        f"An idle pool of {_DEVICES} devices for {seconds:.0f} s: one worker, one pulse", lines, remarks
    )


def _lines(before: dict[str, Used], after: dict[str, Used], seconds: float) -> list[Line]:
    rss = _mb(used.rss for used in after.values())
    pss = _mb(used.pss for used in after.values())
    parts = ", ".join(f"{name} {used.rss / _MIB:.0f}" for name, used in after.items())
    shares = {name: 100 * (after[name].seconds - before[name].seconds) / seconds for name in after}
    cores = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    return [
        at_most("resident memory of both", rss, _MEMORY_MB, "MB", note=f" ({parts}; {pss:.0f} MB as PSS)"),
        at_most("of one core", sum(shares.values()), _CORE_PERCENT, "%", note=f" ({cores})"),
    ]


def _mb(values: Iterable[int]) -> float:
    return sum(values) / _MIB


def _checks(sql: Sql) -> int:
    return sql.number("SELECT COUNT(*) FROM bmm_operation WHERE kind = 'check_health' AND status = 'done'")
