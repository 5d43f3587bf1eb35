"""Web, worker and pulses for development, with a private Redis unless one is named; Ctrl-C ends them all."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.servers.process import die_with_parent
from tests.servers.redis import Redis

_ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 40  # longer than the worker's own soft shutdown
_LIST_RACKS = (
    "from devices.models import Rack; print(*Rack.objects.order_by('name').values_list('name', flat=True))"
)


def _manage(*words: str) -> list[str]:
    return [sys.executable, "manage.py", *words]


def _rack_names(variables: dict[str, str]) -> list[str]:
    """Ask the database for the racks; one worker serves them all here, and each gets its pulse."""
    asked = subprocess.run(
        _manage("shell", "--no-imports", "-v", "0", "-c", _LIST_RACKS),
        cwd=_ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return asked.stdout.split()


def _commands(racks: list[str]) -> list[list[str]]:
    worker = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "mozpool_site",
        "worker",
        "--without-gossip",
        "--without-mingle",
    ]
    queues = ",".join(f"rack.{rack}" for rack in racks)
    return [
        _manage("runserver", "127.0.0.1:8000"),
        [*worker, "--without-heartbeat", "-Q", queues],
        *(_manage("pulse", "--rack", rack) for rack in racks),
    ]


def _start(command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=_ROOT, env=variables, start_new_session=True, preexec_fn=die_with_parent()
    )


def _watch(processes: list[subprocess.Popen[bytes]]) -> int:
    """Wait until one process ends, which it should not, and give its exit status."""
    while True:
        for process in processes:
            if process.poll() is not None:
                sys.stderr.write(
                    f"{process.args!r} ended with status {process.returncode}; stopping the rest\n"
                )
                return process.returncode or 1
        time.sleep(0.5)


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(_STOP_SECONDS)


def main() -> int:
    """Prepare the database, start everything, and wait; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    variables = {"MOZPOOL_DEBUG": "true", **os.environ}
    with ExitStack() as stack:
        if "MOZPOOL_BROKER_URL" not in variables:
            variables["MOZPOOL_BROKER_URL"] = stack.enter_context(Redis()).url
        subprocess.run(_manage("migrate", "-v", "0"), cwd=_ROOT, env=variables, check=True)
        racks = _rack_names(variables)
        if not racks:
            sys.stderr.write(
                "There are no racks yet, so nothing for a worker or a pulse to do. Make some first, for example:\n"
                "  MOZPOOL_DEBUG=true .venv/bin/python manage.py seed_lab --racks 2 --devices 20\n"
            )
            return 2
        processes: list[subprocess.Popen[bytes]] = []
        stack.callback(_stop, processes)
        for command in _commands(racks):
            # One at a time, so that an interrupt between two still finds the first in the list.
            processes += [_start(command, variables)]
        return _watch(processes)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")
