"""The web server: `python -m mozpool_site.serve` runs web processes that share one address, and replaces one that dies.

SIGTERM ends in order: calls in hand are answered first. SIGHUP replaces the processes one by one, with new code.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from mozpool_site import env

_APPLICATION = "mozpool_site.asgi:application"
# Bytes of a request line with its headers, give or take a buffer's growth; longer ones are answered with 431.
_LONGEST_HEAD = 32 * 1024
_HEAD_MILLISECONDS = 15_000
# Connections that one process keeps open, idle and waiting ones included.
_CONNECTIONS = 4096
# Calls in hand get so long after SIGTERM; above what the database may take (settings.py), below systemd's 40.
_STOP_SECONDS = 30
_LAST_PORT = 65535
# prctl(2): the kernel sends this signal to a process whose parent dies.
_PR_SET_PDEATHSIG = 1


def main(words: list[str] | None = None) -> int:
    """Serve until told to end; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mozpool_site.serve", description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument("--access-log", action="store_true", help="log a line for each call")
    arguments = parser.parse_args(words)
    host, port = _address(parser, arguments.bind)
    try:
        environment = env.read(os.environ)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if old_schema():
        return 1
    server = Server(
        _APPLICATION,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=environment.web_processes,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEAD_MILLISECONDS, max_buffer_size=_LONGEST_HEAD),
        websockets=False,
        backlog=1024,
        backpressure=_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_SECONDS,
        log_level=LogLevels(environment.log_level.lower()),
        log_dictconfig=_logging(),
        log_access=arguments.access_log,
        log_access_format='%(addr)s "%(method)s %(path)s" %(status)d %(dt_ms).1f ms',
    )
    server.serve(target_loader=load, wrap_loader=False)
    return 0


def old_schema() -> bool:
    """Whether the database lacks migrations of this release; says so on stderr.

    A child asks, since it needs Django: the process that only looks after the others is to stay small.
    """
    asked = (
        "import django; django.setup(); from mozpool_site import schema; schema.demand_schema_if_reachable()"
    )
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env={"DJANGO_SETTINGS_MODULE": "mozpool_site.settings", **os.environ},
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if told.returncode:
        sys.stderr.write(f"web: {told.stderr.strip().splitlines()[-1].partition(': ')[2]}\n")
    return bool(told.returncode)


def load() -> Any:
    """Load the application, in a new web process; it ends when the one that started it is killed."""
    # Until the server sets its own: the inherited one would lose a signal that comes while we load.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the web server has ended")
    from mozpool_site.asgi import application  # noqa: PLC0415 - each process loads the code as it is then

    return application


def _address(parser: argparse.ArgumentParser, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= _LAST_PORT:
        parser.error(f"--bind: HOST:PORT expected, got {text!r}")
    return host.strip("[]"), int(port)


def _logging() -> dict[str, Any]:
    """Write the server's own lines as all others are written."""
    line = {"handlers": ["line"], "propagate": False, "level": "INFO"}
    return {
        "formatters": {"line": {"()": "mozpool_site.logs.LineFormatter"}},
        "handlers": {"line": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {"_granian": line, "granian.access": line},
    }


if __name__ == "__main__":
    sys.exit(main())
