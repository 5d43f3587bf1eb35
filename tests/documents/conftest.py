"""A fresh clone, and the demo that its README starts: one for all documents, in the worst of shells."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.conftest import OUTWARD

ROOT = Path(__file__).resolve().parents[2]
# A newcomer's: no virtual environment of ours, and no compiler that only ours would have.
BARE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a shell may hold by accident: another pool's address and token, a server's settings, a proxy that is not there.
HOSTILE = {
    "MOZPOOL_SERVERS": "http://192.0.2.1:8000",
    "MOZPOOL_TOKEN": "mzp_of_another_pool",
    "MOZPOOL_HTTPS": "true",
    "MOZPOOL_ENV_FILE": "/nowhere/mozpool.env",
    "MOZPOOL_NO_SUCH_THING": "1",
    "DATABASE_URL": "mysql://root@192.0.2.1/mozpool",
    "http_proxy": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
}
_LAST_LINE = "Ctrl-C ends everything"
_START_SECONDS = 600.0  # packages are fetched, and a busy machine is slow


@dataclass(frozen=True)
class Demo:
    """A running demo: its clone, all that it has printed, and its process."""

    folder: Path
    screen: str
    process: subprocess.Popen[str]

    @property
    def password(self) -> str:
        """The password of the user admin, as printed."""
        return self.screen.split("Log in  admin / ")[1].split()[0]


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the environment of somebody who has just arrived at this machine."""
    home = tmp_path_factory.mktemp("home")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("TMPDIR", "LANG", "TERM", "PIP_INDEX_URL")
    }
    # The interpreter that runs the tests is one that the README allows.
    return {**kept, "HOME": str(home), "PATH": BARE_PATH, "PYTHON": str(Path(sys.executable).resolve())}


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory, newcomer: dict[str, str]) -> Path:
    """Give a copy of what a clone of the working tree would hold, with the packages of `make demo` installed."""
    folder = tmp_path_factory.mktemp("clone") / "mozpool"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\0"
    ):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    # The packages come from outside, by the proxy if there is one; everything later has none that works.
    subprocess.run(["make", ".venv/core.stamp"], cwd=folder, env={**newcomer, **OUTWARD}, check=True)
    return folder


@pytest.fixture(scope="session")
def demo(clone: Path, newcomer: dict[str, str]) -> Iterator[Demo]:
    """Run `make demo` until a Ctrl-C at the end; it leaves no process behind."""
    process = subprocess.Popen(
        ["make", "demo"],
        cwd=clone,
        env={**newcomer, **HOSTILE},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Demo(clone, _until_it_runs(process), process)
        started = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, left = psutil.wait_procs(started, timeout=120)
        assert left == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(120)
        assert process.stdout is not None
        process.stdout.read()
        process.stdout.close()


def _until_it_runs(process: subprocess.Popen[str]) -> str:
    """Return what the demo prints until it waits for Ctrl-C."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
            if _LAST_LINE in line:
                return  # what comes later is little, and is read at the end
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    shown, end = "", time.monotonic() + _START_SECONDS
    while _LAST_LINE not in shown:
        line = lines.get(timeout=max(0.1, end - time.monotonic()))
        assert line, shown
        shown += line
    return shown
