"""`manage.py check_invariants`: asks the database whether everything is as it must be."""

import dataclasses
import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from mozpool_site.commands import MozpoolCommand
from mozpool_site.schema import demand_schema
from requests_app import invariants
from requests_app.invariant_queries import LATE, LEFT_READY_TOLERANCE
from requests_app.invariants import CHECKS, SETTLE_SECONDS, Finding

_LONGEST_SETTLE = 60.0


class Command(MozpoolCommand):
    """Prints every row that breaks an invariant; exit status 0 when there is none, else 1."""

    help = (
        "Find devices, requests, operations and leases that contradict each other. A row is reported when it is wrong "
        "at two looks, so a running pool gives no false alarm. Tolerated: a request in ready for "
        f"{LEFT_READY_TOLERANCE.seconds} s after its device left ready; deadlines and leases up to {LATE.seconds} s "
        "late. Exit status: 0 nothing found, 1 something found."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the pause between the looks, and the form."""
        parser.add_argument(
            "--settle",
            type=_seconds,
            default=SETTLE_SECONDS,
            metavar="SECONDS",
            help="pause before the second look at what seems wrong (default: %(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print a list of objects instead of a table")

    def handle(self, *, settle: float, json: bool, **_: Any) -> None:
        """Look, print, and leave with the exit status."""
        demand_schema()
        found = invariants.findings(settle=settle)
        self.stdout.write(_as_json(found) if json else _as_table(found))
        if found:
            raise SystemExit(1)


def _as_json(found: list[Finding]) -> str:
    return json.dumps([dataclasses.asdict(finding) for finding in found], indent=1)


def _as_table(found: list[Finding]) -> str:
    if not found:
        return f"all {len(CHECKS)} invariants hold"
    rows = [("rule", "row", "what is wrong")]
    rows += [(finding.rule, f"{finding.table} {finding.pk}", finding.message) for finding in found]
    width = max(len(row) for _, row, _ in rows)
    return "\n".join(f"{rule:<4}  {row:<{width}}  {message}" for rule, row, message in rows)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_SETTLE:
        raise ArgumentTypeError(f"seconds from 0 to {_LONGEST_SETTLE:g} expected, got {text!r}")
    return seconds
