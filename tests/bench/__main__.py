"""`make bench`, or `python -m tests.bench filing pulse --quick`: runs the parts named, all when none is.

The exit status is 1 when a figure misses its target or a correctness check fails.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from tests.bench import (
    dead_board,
    filing,
    growth,
    idle,
    overhead,
    pages,
    pulse,
    queue,
    reading,
    relays,
    steps,
    stuck_row,
    syslog,
    tftp,
    waiting,
    watched,
)
from tests.bench.tables import Section, console, machine, show

PARTS: dict[str, Callable[[bool], Section]] = {
    "filing": filing.measure,
    "queue": queue.measure,
    "reading": reading.measure,
    "pages": pages.measure,
    "growth": growth.measure,
    "watched": watched.measure,
    "waiting": waiting.measure,
    "steps": steps.measure,
    "overhead": overhead.measure,
    "relays": relays.measure,
    "dead_board": dead_board.measure,
    "tftp": tftp.measure,
    "pulse": pulse.measure,
    "stuck_row": stuck_row.measure,
    "idle": idle.measure,
    "syslog": syslog.measure,
}


def main() -> int:
    """Run the parts; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of: {', '.join(PARTS)}")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and smaller rounds: for trying, not for the record"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are: {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, _ended)
    out = console()
    out.print(machine(), markup=False)
    begun = time.monotonic()
    missed: list[str] = []
    for name in arguments.parts or PARTS:
        part_begun = time.monotonic()
        section = PARTS[name](arguments.quick)
        show(section, out)
        out.print(f"  ({name}: {time.monotonic() - part_begun:.0f} s)", markup=False)
        missed += [f"{name}: {what}" for what in section.missed]
    verdict = (
        f"{len(missed)} figures miss their target: {'; '.join(missed)}" if missed else "every target is met"
    )
    out.print(f"\n{time.monotonic() - begun:.0f} s in all; {verdict}", markup=False)
    return 1 if missed else 0


def _ended(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an ordinary exit, so that servers and folders are removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
