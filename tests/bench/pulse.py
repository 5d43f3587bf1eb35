"""What the pulse costs when nothing is due, by the size of the pool; and how the database finds that nothing is.

One pulse looks after all racks here. A real pool has one for each rack, so this is the dearest that a pass can be.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from tests.bench.child import Child
from tests.bench.ground import RACK, ground, seeded
from tests.bench.tables import Line, Section, at_most, percentile

_SIZES = (800, 8_000, 80_000)
_LIMIT_MS = 50.0
_PASSES = 60
# A plan of one of these types reads a whole table, or a whole index.
_SCANS = ("ALL", "index")
# Tables of a row for each rack, image or pool. Every other name counts, also those that subqueries give (U0).
_SMALL = ("devices_rack", "devices_image", "requests_app_poollease")
# The optimiser rightly reads a table of a page or two at once; 80,000 devices are no such table.
_SCAN_ROWS = 1_000


def measure(quick: bool) -> Section:
    """Measure at each size, with an idle pool and with a tenth of it in somebody's hands."""
    lines: list[Line] = []
    remarks = [
        "A pass is one look of every loop, one after the other, a second apart; the median of them, and the dearest."
    ]
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        # The child seeds anew for each size; these two devices make the tables.
        pool = stack.enter_context(seeded(servers.plan(racks=1, devices=2), servers.folder / "pulse"))
        for devices in _SIZES[:2] if quick else _SIZES:
            with Child.with_django("pulse", pool.variables, pool.folder / "child.log") as child:
                racks = devices // RACK
                child.told(seed=devices, racks=racks)
                lines += _lines(
                    f"{devices:,} devices in {racks:,} racks, all idle", child.told(measure=_PASSES)
                )
                child.told(hold=True)
                found = child.told(measure=_PASSES)
                lines += _lines(f"{devices:,} devices, a tenth of them held", found)
    remarks += ["How the tables are read at the largest size:", *_plans(found["plans"])]
    return Section("The pulse with nothing due, one pulse over all racks, on MariaDB", lines, remarks)


def _lines(what: str, found: dict[str, Any]) -> Iterator[Line]:
    times = [1000 * value for value in found["times"]]
    note = (
        f" (worst {max(times):.1f} ms, first {1000 * found['first']:.1f} ms; "
        f"{min(found['queries'])} to {max(found['queries'])} queries)"
    )
    yield at_most(what, percentile(times, 0.5), _LIMIT_MS, "ms", note=note)
    scans = [f"{plan['type']} of {plan['table']}" for plan in found["plans"] if _is_scan(plan)]
    yield Line(f"{what}: scans", ", ".join(scans) or "none", "none", met=not scans)


def _is_scan(plan: dict[str, Any]) -> bool:
    return (
        plan["type"] in _SCANS
        and _is_ours(plan)
        and plan["table"] not in _SMALL
        and plan["rows"] > _SCAN_ROWS
    )


def _is_ours(plan: dict[str, Any]) -> bool:
    """Whether it is a table at all, and not what the optimiser makes of a long list of values."""
    return plan["table"] is not None and not plan["table"].startswith("<")


def _plans(plans: list[dict[str, Any]]) -> list[str]:
    """Tell by which keys the tables are read; of a scan, the statement too."""
    told: dict[str, None] = {}
    for plan in plans:
        if not _is_ours(plan):
            continue
        way = (
            f"{plan['table']}: {plan['type']} by {plan['key'] or 'no key'}, about {_magnitude(plan['rows'])}"
        )
        told[f"{way}: {_short(plan['sql'])}" if _is_scan(plan) else way] = None
    return [f"- {line}" for line in told]


def _magnitude(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _short(sql: str) -> str:
    """Leave out the columns, and all but the first of a list of values."""
    sql = re.sub(r"(?s)SELECT .*? FROM", "SELECT ... FROM", sql, count=1)
    sql = re.sub(r"IN \((%s|\d+), .*?\)", "IN (...)", sql)
    return sql.replace("`", "")[:170]
