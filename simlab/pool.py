"""A whole pool as processes on this machine: web, workers, pulses and a simulated lab, over a given database.

The demo, the end-to-end tests and the benchmarks run the very processes that a server runs; only the rows
point at simulated hardware. Every child dies with the process that started it.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from simlab.control import LabControl
from tests.servers.process import die_with_parent, free_port

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 40.0
_STOP_SECONDS = 40.0


class PoolFailed(Exception):
    """A process of the pool did not start; the message holds the end of its log."""


@dataclass(frozen=True)
class PoolPlan:
    """What to run. `seed` are further arguments of seed_lab; with `lab` False no simulated hardware is played."""

    database_url: str
    broker_url: str
    racks: int = 2
    devices: int = 20
    speed: float = 1.0
    seed: Sequence[str] = ()
    lab: bool = True
    web_processes: int = 2
    web_threads: int = 4
    worker_threads: int = 16
    per_rack: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


class Pool:
    """The processes of a pool, by name: `web`, `lab`, `worker` and `pulse` (or one of each for each rack)."""

    def __init__(self, plan: PoolPlan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.lab_file = self.folder / "LAB.json"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Where the web process answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def control(self) -> LabControl:
        """The lab's control."""
        return LabControl(self.folder / "control.sock")

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every process of this pool; a command run with it works on this pool."""
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self.settings}

    @property
    def settings(self) -> dict[str, str]:
        """What this pool's settings are, whatever else the environment holds."""
        return {
            "MOZPOOL_DEBUG": "true",
            "MOZPOOL_BASE_URL": self.url,
            "DATABASE_URL": self.plan.database_url,
            "MOZPOOL_BROKER_URL": self.plan.broker_url,
            "MOZPOOL_TFTP_ROOT": str(self.folder / "tftp"),
            "MOZPOOL_TRUSTED_NETWORKS": "127.0.0.0/8",
            "MOZPOOL_TRUSTED_OPERATOR_NETWORKS": "127.0.0.1/32",
            "MOZPOOL_IMAGE_HOSTS": "127.0.0.1,localhost,images.example",
            # Everybody calls from this machine, and so counts as one owner.
            "MOZPOOL_MAX_OPEN_REQUESTS": "0",
            "MOZPOOL_LOG_LEVEL": "WARNING",
            "MOZPOOL_WEB_PROCESSES": str(self.plan.web_processes),
            "MOZPOOL_WEB_THREADS": str(self.plan.web_threads),
            "MOZPOOL_WORKER_THREADS": str(self.plan.worker_threads),
            **self.plan.environment,
        }

    def manage(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command on this pool and give what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise PoolFailed(
                f"manage.py {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def seed(self) -> None:
        """Create the tables and the rows of the lab."""
        (self.folder / "tftp").mkdir(exist_ok=True)
        self.manage("migrate", "-v", "0")
        size = ("--racks", str(self.plan.racks), "--devices", str(self.plan.devices))
        lab = ("--lab-file", str(self.lab_file), "--speed", str(self.plan.speed))
        self.manage("seed_lab", *size, *lab, *self.plan.seed)

    def start(self) -> None:
        """Start everything, and wait until the web process answers and the lab listens."""
        if self.plan.lab:
            self.start_lab()
        self.start_web()
        for name in (*self.names("worker"), *self.names("pulse")):
            self.start_process(name)
        self.wait_for_web()
        for name in self._processes:
            if not self.running(name):
                raise PoolFailed(f"{name} ended at once:\n{self.log(name)[-2000:]}")

    def names(self, kind: str) -> list[str]:
        """Name the processes of a kind: `worker` or `pulse`."""
        racks = self.racks()
        return [f"{kind}.{rack}" for rack in racks] if self.plan.per_rack else [kind]

    def racks(self) -> list[str]:
        """Name the racks that seed_lab makes."""
        return [f"p{number}" for number in range(1, self.plan.racks + 1)]

    def start_lab(self) -> None:
        """Play the hardware."""
        ready = self.folder / "lab.ready"
        ready.unlink(missing_ok=True)
        self._spawn("lab", [sys.executable, "-m", "simlab", str(self.lab_file), "--ready-file", str(ready)])
        self._wait("lab", ready.exists)

    def start_web(self) -> None:
        """Serve pages and API."""
        self._spawn("web", [sys.executable, "-m", "mozpool_site.serve", "--bind", f"127.0.0.1:{self.port}"])

    def wait_for_web(self) -> None:
        """Wait until the web process answers with a healthy database."""
        self._wait("web", self._web_answers)

    def start_process(self, name: str) -> None:
        """Start a worker or a pulse by its name."""
        kind, _, rack = name.partition(".")
        racks = [rack] if rack else self.racks()
        if kind == "pulse":
            chosen = [word for rack_name in racks for word in ("--rack", rack_name)]
            self._spawn(name, [sys.executable, "manage.py", "pulse", *chosen])
        else:
            queues = ",".join(f"rack.{rack_name}" for rack_name in racks)
            celery = [sys.executable, "-m", "celery", "-A", "mozpool_site", "worker", "-Q", queues]
            quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
            self._spawn(name, [*celery, *quiet, "-n", f"{secrets.token_hex(3)}@%h"])

    def pid(self, name: str) -> int:
        """The process id of a running process."""
        return self._processes[name].pid

    def running(self, name: str) -> bool:
        """Whether a process is there."""
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def kill9(self, name: str) -> None:
        """Kill a process and its children at once."""
        process = self._processes[name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End every process in order; kill what does not end in time."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        end = time.monotonic() + _STOP_SECONDS
        for name, process in self._processes.items():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.kill9(name)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self._processes.clear()

    def log(self, name: str) -> str:
        """Give what a process wrote."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        try:
            self.seed()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + _START_SECONDS
        while not ready():
            if not self.running(name) or time.monotonic() > end:
                raise PoolFailed(f"{name} did not start:\n{self.log(name)[-2000:]}")
            time.sleep(0.05)

    def _web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2):  # noqa: S310 - our own URL
                return True
        except (urllib.error.URLError, OSError):
            return False
