"""Runs a command beside private servers: `python -m tests.servers run --mariadb --redis -- COMMAND...`.

The command finds DATABASE_URL and MOZPOOL_BROKER_URL in its environment. The exit status is the command's.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from types import FrameType

from tests.servers.mariadb import MariaDB
from tests.servers.process import ServerFailed, die_with_parent
from tests.servers.redis import Redis

_LAST_SECONDS = 10  # what an interrupted command gets for tidying up


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a command beside private servers")
    run.add_argument("--mariadb", action="store_true", help="start MariaDB and set DATABASE_URL")
    run.add_argument("--redis", action="store_true", help="start Redis and set MOZPOOL_BROKER_URL")
    run.add_argument("argv", nargs="+", metavar="COMMAND", help="after --, the command and its arguments")
    return parser.parse_args()


def _ended(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an ordinary exit, so that folders are removed."""
    sys.exit(128 + number)


def _run(argv: list[str], variables: dict[str, str]) -> int:
    """Run the command in a process group of its own, and leave nothing of that group behind."""
    process = subprocess.Popen(argv, env=variables, process_group=0, preexec_fn=die_with_parent())
    try:
        return process.wait()
    except BaseException:
        # A moment to remove what it made: pytest ends its fixtures on an interrupt, not on SIGTERM.
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_SECONDS)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> int:
    """Start what is asked for, run the command, remove everything; return the command's exit status."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _ended)
    variables = dict(os.environ)
    with ExitStack() as stack:
        if arguments.mariadb:
            variables["DATABASE_URL"] = stack.enter_context(MariaDB()).url
        if arguments.redis:
            variables["MOZPOOL_BROKER_URL"] = stack.enter_context(Redis()).url
        return _run(arguments.argv, variables)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServerFailed as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
