"""What the stories of the commands start from: a lab that runs, rows that point at it, and nothing else.

There is no worker, no pulse and no broker in any of these stories.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from ipaddress import IPv4Network
from pathlib import Path
from typing import IO, Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from devices.lab import LabPlan, describe, seed
from devices.models import Device
from simlab.control import LabControl
from tests.network import own_network
from tests.servers.process import Server

ROOT = Path(__file__).resolve().parents[3]
# 32 devices fill the first relay board; two hang on a second one.
DEVICES = 34
SPEED = 50.0


class Lab(Server):
    """The simulated lab as a process of its own, on a part of the loopback network that is this session's."""

    name = "simlab"

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = IPv4Network(f"{network}.0.0/16")
        self.tftp_root = self.folder / "tftp"
        self.tftp_root.mkdir()
        self.control = LabControl(self.folder / "control.sock")

    @property
    def url(self) -> str:
        return str(self.folder / "lab.json")

    def command(self) -> list[str]:
        return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "simlab", self.url]

    def answers(self) -> bool:
        return "ready:" in self.log_tail()

    def play(self, description: dict[str, Any]) -> None:
        """Start with that description, unless the lab runs already."""
        if not self.running:
            Path(self.url).write_text(json.dumps(description))
            self.start()


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on stderr."""
        (line,) = self.err.splitlines()
        return line


@dataclass
class Pool:
    """Rows of 34 devices that the lab plays, and the commands."""

    lab: Lab
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, *words: str) -> Ran:
        """Run a command in this process."""
        out, err = StringIO(), StringIO()
        status = 0
        try:
            call_command(command, *words, stdout=out, stderr=err)
        except SystemExit as end:
            status = int(end.code or 0)
        return Ran(status, out.getvalue(), err.getvalue())

    def start(self, *words: str, stdout: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command as a shell would."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def shell(self, *words: str) -> Ran:
        """Run a command as a shell would, to its end."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=60)
        return Ran(process.returncode, out, err)

    def device(self, number: int) -> Device:
        """Give a device's row as it is now; numbers count from 1."""
        return Device.objects.get(name=f"panda-{number:04d}")

    def put(self, number: int, **columns: object) -> Device:
        """Put a device's row into a condition, as something else would have left it."""
        Device.objects.filter(name=f"panda-{number:04d}").update(**columns)
        return self.device(number)

    def cycles(self, number: int) -> int:
        """Count how often the board of a device has lost its power since the lab was started."""
        history = self.lab.control.board(f"panda-{number:04d}").history
        return sum(entry.what == "power_off" for entry in history)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Give the session's lab; it starts with the first pool."""
    with own_network() as network:
        server = Lab(network)
        yield server
        if server.running:
            server.stop()
        server.remove()


@pytest.fixture
def pool(lab: Lab, transactional_db: None, settings: Settings) -> Pool:
    """Give fresh rows: every device is ready, with android, and held by nobody."""
    settings.MOZPOOL_TFTP_ROOT = lab.tftp_root
    seed(LabPlan(racks=1, devices=DEVICES, network=lab.network))
    lab.play(describe(SPEED, str(lab.control.path), {}))
    return Pool(lab, {"DATABASE_URL": _database_url(), "MOZPOOL_TFTP_ROOT": str(lab.tftp_root)})


@pytest.fixture
def rows(lab: Lab, db: None) -> Pool:
    """Give the same rows to stories that touch no hardware and start no process: quicker, for they are rolled back."""
    seed(LabPlan(racks=1, devices=DEVICES, network=lab.network))
    return Pool(lab)


def _database_url() -> str:
    """Name the test's database to other processes."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    login = f"{database['USER']}:{database['PASSWORD']}@" if database["PASSWORD"] else f"{database['USER']}@"
    return f"mysql://{login}{database['HOST']}:{database['PORT']}/{database['NAME']}"
