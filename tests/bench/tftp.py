"""A lab's power comes back: 80 boards fetch kernel and live image at once from `manage.py tftpd`, over loopback."""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.bench.tables import Line, Section, at_most
from tests.integration.netboot.loaders import Loader, fetch

_BOARDS = 80
# Kernel and live image of the real boots together.
_BYTES = 5_662_310
_LIMIT_SECONDS = 10.0
_BLOCK = 1468


def measure(quick: bool) -> Section:
    """Measure block by block, as most loaders ask, and with windows of 16 (RFC 7440)."""
    boards = 20 if quick else _BOARDS
    content = random.Random(1).randbytes(_BYTES)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "live").write_bytes(content)
        with _server(Path(folder)) as (process, port):
            for window in (1, 16):
                lines += _lines(process, port, boards, window, content)
    return Section(
        f"{boards} boards fetch {_BYTES / 1e6:.1f} MB each by TFTP at once, blocks of {_BLOCK}", lines
    )


def _lines(process: psutil.Process, port: int, boards: int, window: int, content: bytes) -> list[Line]:
    options = {"blksize": _BLOCK, "tsize": 0} | ({"windowsize": window} if window > 1 else {})
    loaders = [
        Loader(("127.0.0.1", port), "live", f"127.0.1.{number}", options, patience=5)
        for number in range(1, boards + 1)
    ]
    before = sum(process.cpu_times()[:2])
    began = time.monotonic()
    fetch(loaders, seconds=180)
    seconds = time.monotonic() - began
    busy = sum(process.cpu_times()[:2]) - before
    whole = sum(bytes(loader.content) == content for loader in loaders)
    how = "one block at a time" if window == 1 else f"windows of {window}"
    rate = boards * len(content) / seconds / 1e6
    return [
        at_most(f"{how}: the last board has all", seconds, _LIMIT_SECONDS, "s", note=f", {rate:.0f} MB/s"),
        Line(f"{how}: the server's processor time", f"{busy:.1f} s"),
        Line(f"{how}: boards whose bytes are right", str(whole), str(boards), met=whole == boards),
    ]


@contextmanager
def _server(folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "tftpd", "--bind", "127.0.0.1:0", "--root", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"MOZPOOL_DEBUG": "true"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        port = re.search(r":(\d+)$", process.stdout.readline().strip())
        assert port is not None
        yield psutil.Process(process.pid), int(port[1])
    finally:
        process.terminate()
        process.communicate(timeout=20)
