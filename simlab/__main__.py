"""`python -m simlab LAB.json`: runs a lab in the foreground until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import sys
from pathlib import Path

from simlab.fields import ConfigError, LabError
from simlab.supervisor import run


def main() -> int:
    """Exit status 0 after a clean end, 1 if the lab broke or could not listen, 2 if LAB.json is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m simlab",
        description="Runs simulated relay boards and boards; prints one line `ready` when all of them listen.",
    )
    parser.add_argument("lab", type=Path, metavar="LAB.json", help="see simlab/config.py")
    parser.add_argument("--ready-file", type=Path, help="is written when all listen, and removed at the end")
    options = parser.parse_args()
    try:
        text = options.lab.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"simlab: {options.lab} cannot be read: {error}\n")
        return 2
    try:
        asyncio.run(run(text, options.ready_file))
    except ConfigError as error:
        sys.stderr.write(f"simlab: {options.lab}: {error}\n")
        return 2
    except LabError as error:
        sys.stderr.write(f"simlab: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
