"""Keeps the parts together: listener, writer, and once in a while a look at devices, patterns and losses."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection

from bmm.syslog.cap import Cap
from bmm.syslog.intake import Intake
from bmm.syslog.lines import Waiting
from bmm.syslog.listening import ENOUGH_BUFFER, Listener
from bmm.syslog.models import LogPattern, Severity
from bmm.syslog.patterns import BUILT_IN, Pattern, Watchdog
from bmm.syslog.senders import Senders, canonical
from bmm.syslog.writing import Writer
from mozpool_site.transactions import UNAVAILABLE

logger = logging.getLogger(__name__)

# Devices and patterns come and go while we run.
_RELOAD_SECONDS = 10.0
# A flood costs its device's journal one line in so many seconds, and our own log one a minute.
_TELL_DEVICES_SECONDS = 10.0
_TELL_LOG_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_DATABASE_AWAY_SECONDS = 1.0
# After SIGTERM; below systemd's patience.
_FLUSH_SECONDS = 15.0


@dataclass(frozen=True)
class Plan:
    """What to listen on, for whom, and how much of it; `racks` are primary keys, none: all racks."""

    addresses: Sequence[str]
    port: int
    racks: Sequence[int] = ()
    relays: Sequence[str] = ()
    look_up: bool = False
    rate: float = 100.0
    burst: int = 2000
    most_waiting: int = 50_000


@dataclass
class _Told:
    """When something was last told, in seconds of time.monotonic()."""

    devices: float = field(default_factory=time.monotonic)
    log: float = field(default_factory=time.monotonic)
    udp_dropped: int = 0


class Daemon:
    """Receives device logs until it is stopped. Making one listens already; raises CannotListen."""

    def __init__(self, plan: Plan) -> None:
        self._waiting = Waiting(plan.most_waiting)
        senders = Senders(list(plan.racks), look_up=plan.look_up)
        relays = frozenset(canonical(address) for address in plan.relays)
        cap = Cap(plan.rate, plan.burst)
        self._intake = Intake(senders, Watchdog(BUILT_IN), cap, self._waiting, relays)
        self._writer = Writer(self._waiting)
        self._listener = Listener(plan.addresses, plan.port, self._intake)
        self._told = _Told()
        places = ", ".join(plan.addresses)
        logger.info("listening on %s port %d, UDP and TCP", places, plan.port)
        if self._listener.udp_buffer < ENOUGH_BUFFER:
            logger.warning(
                "the kernel keeps only %d kB of UDP for us; sysctl -w net.core.rmem_max=8388608 allows for bursts",
                self._listener.udp_buffer // 1024,
            )

    def run(self, stop: threading.Event) -> bool:
        """Work until `stop` is set, then store what is there; False when the listener broke down."""
        reloading = threading.Thread(
            target=self._reload_now_and_then, args=(stop,), daemon=True, name="syslog-reload"
        )
        # Names are looked up behind the first lines: DNS may be slow, or away.
        self._reload(ask_dns=False)
        logger.info("%d addresses of devices are known", len(self._intake.senders))
        self._listener.start()
        reloading.start()
        while not stop.is_set() and not self._listener.failed:
            if not self._writer.write(_LOOK_SECONDS):
                stop.wait(_DATABASE_AWAY_SECONDS)
            self._tell()
        broken = self._listener.failed
        stop.set()
        self._finish()
        return not broken

    def _finish(self) -> None:
        self._tell(last=True)
        self._listener.stop()
        self._tell(last=True)
        end = time.monotonic() + _FLUSH_SECONDS
        while not self._writer.done and time.monotonic() < end:
            if not self._writer.write(0):
                time.sleep(_DATABASE_AWAY_SECONDS)
        left = len(self._waiting)
        if not self._writer.done:
            logger.error("the database is away: %d lines and those in hand are lost", left)
        logger.info("%d lines stored in all", self._writer.stored)

    def _reload_now_and_then(self, stop: threading.Event) -> None:
        self._reload()
        while not stop.wait(_RELOAD_SECONDS):
            self._reload()
        connection.close()

    def _reload(self, *, ask_dns: bool = True) -> None:
        """Read devices and patterns; keep what was known where the database does not answer."""
        try:
            self._intake.senders.reload(ask_dns=ask_dns)
            patterns = known_patterns()
        except UNAVAILABLE as error:
            connection.close()
            logger.warning("the database is away, devices and patterns stay as they were: %s", error)
            return
        except Exception:
            logger.exception("devices and patterns can't be read and stay as they were")
            return
        if patterns != self._intake.watchdog.patterns:
            self._intake.watchdog = self._intake.watchdog.heir(patterns)

    def _tell(self, *, last: bool = False) -> None:
        """Tell of losses, when it is time, or for the last time."""
        now = time.monotonic()
        if last or (now - self._told.devices >= _TELL_DEVICES_SECONDS and not self._writer.away):
            self._told.devices = now
            rate = f"more than {self._intake.cap.rate:g} a second"
            self._writer.add(self._intake.cap.take_over(), rate)
            lost = self._waiting.take_lost()
            self._writer.add(lost, "the database was away or too slow")
            if lost:
                logger.warning("%d lines dropped: the database is away or too slow", lost.total())
        if last or now - self._told.log >= _TELL_LOG_SECONDS:
            self._told.log = now
            self._tell_log()

    def _tell_log(self) -> None:
        strangers = self._intake.take_strangers()
        if strangers.lines:
            some = ", ".join(strangers.some)
            logger.warning("%d lines dropped: from no device's address, such as %s", strangers.lines, some)
        dropped = self._listener.udp_dropped() - self._told.udp_dropped
        if dropped > 0:
            self._told.udp_dropped += dropped
            logger.warning("%d lines dropped: they came faster by UDP than we could read", dropped)


def known_patterns() -> tuple[Pattern, ...]:
    """Give the patterns that count: rows, and the built-in ones that no row of their name stands for."""
    rows = list(LogPattern.objects.all())
    own = [
        Pattern(row.name, row.regex, row.severity == Severity.SERIOUS, float(row.cooldown))
        for row in rows
        if row.enabled
    ]
    taken = {row.name for row in rows}
    return (*(pattern for pattern in BUILT_IN if pattern.name not in taken), *own)
