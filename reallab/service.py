"""The lab's power switch, its images, and what helps the network: `python -m reallab.service PLAN.json`.

`POST /NAME/on` starts a machine's QEMU, `POST /NAME/off` kills it, as pulling the plug would, and `GET /NAME` tells
which; Mozpool's driver `webhook` calls them. When this process ends, however it ends, so does every machine.
"""

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.servers.process import die_with_parent

# prctl(2): the kernel sends this signal to a process whose parent dies.
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
# tftpd lets what is on its way end, for five seconds.
_STOP_SECONDS = 8.0


@dataclass(frozen=True)
class ServicePlan:
    """What to serve: argument lists by machine, at which ports of `bind`, and the folder of the images.

    `helpers` are further processes by name, such as a TFTP server; each writes to NAME.log in `logs`.
    """

    bind: str
    power_port: int
    files_port: int
    files: str
    machines: dict[str, list[str]]
    helpers: dict[str, list[str]]
    logs: str

    def write(self, path: Path) -> None:
        """Write it down for the process."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


class Machines:
    """The machines' processes. All calls come from one thread: a machine dies with the thread that started it."""

    def __init__(self, commands: dict[str, list[str]]) -> None:
        self._commands = commands
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def knows(self, name: str) -> bool:
        """Whether there is such a machine."""
        return name in self._commands

    def is_on(self, name: str) -> bool:
        """Whether it runs; one that has switched itself off does not."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def switch_on(self, name: str) -> None:
        """Start it unless it runs."""
        if not self.is_on(name):
            self._running[name] = subprocess.Popen(
                self._commands[name], stdin=subprocess.DEVNULL, preexec_fn=die_with_parent()
            )

    def switch_off(self, name: str) -> None:
        """Kill it: nothing is written back, nobody is told."""
        process = self._running.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def end(self) -> None:
        """Switch everything off."""
        for name in list(self._running):
            self.switch_off(name)


class Helpers:
    """Processes that give root up when they have begun, and so no longer die with us by themselves."""

    def __init__(self, commands: dict[str, list[str]], logs: Path) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name, command in commands.items():
            with (logs / f"{name}.log").open("ab") as log:
                self._running[name] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent()
                )

    def check(self) -> None:
        """End this process where one of them has ended: without it no machine boots."""
        for name, process in self._running.items():
            if process.poll() is not None:
                sys.exit(f"{name} has ended with status {process.returncode}; see {name}.log")

    def end(self) -> None:
        """End them."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


class PowerServer(HTTPServer):
    """One call after the other; looks after the helpers in between."""

    helpers: Helpers

    def service_actions(self) -> None:
        """Do what is done about twice a second."""
        self.helpers.check()


class PowerHandler(BaseHTTPRequestHandler):
    """Switches and tells. HTTP/1.0: each call has a connection of its own, so that none keeps the others waiting."""

    timeout = 5

    def __init__(self, machines: Machines, *more: object) -> None:
        self._machines = machines
        super().__init__(*more)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Tell whether a machine is on."""
        name = self.path.strip("/")
        if self._machines.knows(name):
            self._answer(200, {"power": "on" if self._machines.is_on(name) else "off"})
        else:
            self._answer(404, {"error": f"there is no machine {name[:64]}"})

    def do_POST(self) -> None:
        """Switch a machine."""
        name, _, verb = self.path.strip("/").partition("/")
        switches = {"on": self._machines.switch_on, "off": self._machines.switch_off}
        if not self._machines.knows(name) or verb not in switches:
            self._answer(404, {"error": "/NAME/on or /NAME/off of a machine of this lab expected"})
            return
        switches[verb](name)
        self._answer(200, {"power": verb})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing: Mozpool's journal tells when it switched what."""

    def _answer(self, status: int, value: dict[str, str]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class FilesHandler(SimpleHTTPRequestHandler):
    """Gives files, and leaves a line for each in the log."""

    def copyfile(self, source: object, outputfile: object) -> None:
        """Send a file; a machine whose power goes meanwhile is no error."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(source, outputfile)  # type: ignore[arg-type]


def main() -> int:
    """Serve until SIGTERM."""
    plan = ServicePlan(**json.loads(Path(sys.argv[1]).read_text()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    # Unlike a killed one, a process that is told to end can end what it has started.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    machines, helpers = Machines(plan.machines), Helpers(plan.helpers, Path(plan.logs))
    files = ThreadingHTTPServer((plan.bind, plan.files_port), partial(FilesHandler, directory=plan.files))
    threading.Thread(target=files.serve_forever, daemon=True).start()
    try:
        server = PowerServer((plan.bind, plan.power_port), partial(PowerHandler, machines))
        server.helpers = helpers
        server.serve_forever()
    finally:
        machines.end()
        helpers.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
