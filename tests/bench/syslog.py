"""Device logs: lines a second from a full pool by real UDP into the journal on MariaDB, what is lost, what it costs."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from simlab.pool import ROOT, Pool
from tests.bench.ground import Sql, ground, looking, seeded
from tests.bench.processes import used
from tests.bench.tables import Line, Section
from tests.servers.process import die_with_parent, free_port

_DEVICES = 160
_TARGET = 5000
# The first has to be borne; the others show where the end is. A device stays below its cap of 100 lines a second.
_RATES = (5200, 10_000, 15_000)
_SECONDS, _QUICK_SECONDS = 20.0, 5.0
_TICK = 0.01
_START_SECONDS = 20.0
# After the last line; half a second is how long one waits for its batch.
_PATIENCE_SECONDS = 10.0
_TEXT = "<6>Nov 22 19:00:00 panda kernel: [%8d.%06d] usb 1-1.2: new high-speed USB device number %d using ehci-omap"


@dataclass(frozen=True)
class Run:
    """What one rate came to: lines, seconds from the first sent to the last stored, processor seconds, memory."""

    sent: int
    stored: int
    seconds_sending: float
    seconds: float
    processor: float
    rss: int


def measure(quick: bool) -> Section:
    """Send at each rate, and count what arrives."""
    with ExitStack() as stack:
        servers = stack.enter_context(ground())
        pool = stack.enter_context(seeded(servers.plan(racks=2, devices=_DEVICES), servers.folder / "syslog"))
        sql = stack.enter_context(looking(servers.database))
        port = free_port()
        pid = stack.enter_context(_syslogd(pool, port))
        addresses = [str(row[0]) for row in sql.rows("SELECT address FROM devices_device")]
        boards = [stack.enter_context(_board(address)) for address in addresses]
        runs = {
            rate: _run(boards, port, pid, sql, rate, _QUICK_SECONDS if quick else _SECONDS) for rate in _RATES
        }
    return Section(
        f"Device logs by UDP from {_DEVICES} devices into the journal (MariaDB with durable defaults)",
        [line for rate, run in runs.items() for line in _lines(rate, run)],
        [
            "The sender and the database share the cores with syslogd. Lost is what was sent and is not in the journal."
        ],
    )


@contextmanager
def _syslogd(pool: Pool, port: int) -> Iterator[int]:
    """Run the command as it is delivered; give its process id once it listens."""
    log = pool.folder / "syslogd.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "syslogd", "--bind", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env={**pool.variables, "MOZPOOL_LOG_LEVEL": "INFO"},
            stdout=file,
            stderr=file,
            preexec_fn=die_with_parent(),
        )
    try:
        end = time.monotonic() + _START_SECONDS
        while "are known" not in log.read_text():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"syslogd does not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(_START_SECONDS)


@contextmanager
def _board(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((address, 0))
        yield udp


def _run(boards: list[socket.socket], port: int, pid: int, sql: Sql, rate: int, seconds: float) -> Run:
    sql.rows("TRUNCATE devices_journal")
    processor, begun = used(pid).seconds, time.monotonic()
    sent = 0
    while (passed := time.monotonic() - begun) < seconds:
        while sent < rate * passed:
            text = _TEXT % (sent // 1000, sent % 1000, sent)
            boards[sent % len(boards)].sendto(text.encode(), ("127.0.0.1", port))
            sent += 1
        time.sleep(_TICK)
    sending = time.monotonic() - begun
    stored = _settled(sql, sent)
    after = used(pid)
    return Run(sent, stored, sending, time.monotonic() - begun, after.seconds - processor, after.rss)


def _settled(sql: Sql, sent: int) -> int:
    """Wait until all that was sent is stored, or nothing more comes; give how much is."""
    end = time.monotonic() + _PATIENCE_SECONDS
    stored = 0
    while time.monotonic() < end:
        found = sql.number(
            "SELECT COUNT(*) FROM devices_journal WHERE source = 'syslog' AND message LIKE 'kernel:%'"
        )
        if found > stored:
            stored, end = found, time.monotonic() + _PATIENCE_SECONDS
        if stored >= sent:
            break
        time.sleep(0.1)
    return stored


def _lines(rate: int, run: Run) -> list[Line]:
    required = rate == _RATES[0]
    lost = run.sent - run.stored
    arrived = run.stored / run.seconds_sending
    what = f"at {rate} lines/s"
    return [
        Line(
            f"{what}: stored",
            f"{arrived:.0f} lines/s (the last {run.seconds - run.seconds_sending:.1f} s after it was sent)",
            f">= {_TARGET} lines/s" if required else "",
            met=arrived >= _TARGET if required else None,
        ),
        Line(
            f"{what}: lost",
            f"{lost} of {run.sent}",
            "0" if required else "",
            met=lost == 0 if required else None,
        ),
        Line(
            f"{what}: cost",
            f"{100 * run.processor / run.seconds:.0f} % of one core, {run.rss / 2**20:.0f} MB resident",
        ),
    ]
