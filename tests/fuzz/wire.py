"""`make fuzz-wire MINUTES=60`: whatever comes over the wire by TFTP and syslog, made up anew until the time is over.

The exit status is 1 when a board did not get what it asked for, or when a message was lost.
"""

import argparse
import secrets
import sys
import time

from tests.fuzz.tftp import serve_a_rack
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
    ends = time.monotonic() + 60 * arguments.minutes
    racks = 0
    while not racks or time.monotonic() < ends:
        if faults := serve_a_rack(first + racks):
            print(f"seed {first + racks}:", *faults, sep="\n")
            return 1
        for story in test_framing.STORIES * _TIMES:
            story()
        racks += 1
    streams = racks * len(test_framing.STORIES) * _TIMES * 100
    print(
        f"{racks} racks of boards got their files, {streams} streams gave their messages; first seed {first}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
