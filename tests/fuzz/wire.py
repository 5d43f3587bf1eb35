"""`make fuzz-wire MINUTES=60`: whatever comes over the wire, made up anew until the time is over.

TFTP and syslog as boards speak them, and what switches and their programs answer to every power driver. The exit status
is 1 when a board did not get what it asked for, a message was lost, or anything but a HardwareError left a driver.
"""

import argparse
import logging
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.tftp import serve_a_rack
from tests.unit.bmm.power.spoiling import KINDS, PROGRAMS, Kind, peers, printed_talks, talks
from tests.unit.syslog import test_framing

# How often each story of streams is told beside each rack; each time it tries a hundred new ones.
_TIMES = 5


def main() -> int:
    """Try until the time is over; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.wire", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for so long (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="the first rack's boards and losses (default: new ones)")
    arguments = parser.parse_args()
    first = secrets.randbelow(10**9) if arguments.seed is None else arguments.seed
    # A driver's guard tells the log of each answer that no driver foresees: here that is nearly every one.
    logging.getLogger("bmm.drivers").setLevel(logging.CRITICAL)
    ends = time.monotonic() + 60 * arguments.minutes
    rounds, outcomes = 0, Counter[str]()
    with peers() as behind:
        while not rounds or time.monotonic() < ends:
            seed = first + rounds
            try:
                outcomes += _round(seed, behind)
            except Exception:  # noqa: BLE001 - whatever it is, the seed that led to it is what is wanted
                print(f"seed {seed}:")
                traceback.print_exc(file=sys.stdout)
                return 1
            rounds += 1
    streams = rounds * len(test_framing.STORIES) * _TIMES * 100
    print(
        f"{rounds} racks of boards got their files, {streams} streams gave their messages, {outcomes.total()} talks of"
        f" drivers ended as they may ({outcomes['fine']} fine, the rest told as a HardwareError); first seed {first}"
    )
    return 0


def _round(seed: int, behind: Callable[[Kind], int]) -> Counter[str]:
    """Try everything once; return what came of the drivers' talks."""
    faults = serve_a_rack(seed)
    assert not faults, "\n".join(faults)
    for story in test_framing.STORIES * _TIMES:
        story()
    outcomes: Counter[str] = sum((talks(str(seed), name, behind) for name in KINDS), Counter())
    with tempfile.TemporaryDirectory(prefix="mozpool-fuzz-") as folder:
        for name in PROGRAMS:
            outcomes += printed_talks(str(seed), name, Path(folder))
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
