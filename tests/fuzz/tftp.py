"""A TFTP server in a thread, and a rack's boards around it: one round of its fuzz test."""

import logging
import random
import tempfile
import threading
from pathlib import Path

from bmm.tftp.server import Limits, Server, listen
from tests.fuzz.tftp_boards import HABITS, Board, Line, Stranger, fetch_all

# Around the sizes at which blocks are full, and windows.
_SIZES = {"pxelinux.cfg/default": 300, "even": 512 * 4, "filled": 1468 * 8, "empty": 0, "kernel": 60_011}
_MISSING = "pxelinux.cfg/01-02-00-7f-00-00-09"


def serve_a_rack(seed: int, boards: int = 30, limits: Limits | None = None) -> list[str]:
    """Let boards of every habit fetch files; return what went wrong. The same seed makes the same boards and losses."""
    chance = random.Random(seed)
    files: dict[str, bytes | None] = {name: chance.randbytes(size) for name, size in _SIZES.items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content or b"")
        files[_MISSING] = None
        listening = listen("127.0.0.1", 0)
        at = listening.getsockname()
        server = Server(listening, Path(folder), limits)
        told = _Told()
        logging.getLogger("bmm.tftp").addHandler(told)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        line = Line(chance)
        rack = [
            Board(at, f"127.0.8.{number}", chance.choice(HABITS), line, files)
            for number in range(1, boards + 1)
        ]
        faults = fetch_all(rack, Stranger(at, chance), line)
        if not thread.is_alive():
            faults.append("the server has ended")
        server.stop(0)
        thread.join(10)
        logging.getLogger("bmm.tftp").removeHandler(told)
        return [fault + "".join(told.of(fault)) for fault in faults]


class _Told(logging.Handler):
    """Keeps what the server has told of its transfers, for whoever looks into a fault."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: list[str] = []
        logging.getLogger("bmm.tftp").setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, with the time."""
        self._lines.append(f"\n    {record.created % 1000:.3f} {record.getMessage()}")

    def of(self, fault: str) -> list[str]:
        """Return what was told of the board that a fault names."""
        return [line for line in self._lines if line.split()[2] in fault.replace(",", " ").split()]
