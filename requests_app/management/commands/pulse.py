"""`manage.py pulse`: the heart beat of some racks, and of the pool."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection

from lifeguard.pulse import RackPulse
from mozpool_site import clock
from mozpool_site.errors import MozpoolError
from requests_app.pulse import PoolPulse

logger = logging.getLogger(__name__)

# How soon to look again while the database is away; the bound is its outage plus ten seconds.
_DATABASE_AWAY = 1.0
# Racks come and go while a pulse over all of them runs.
_LOOK_FOR_RACKS_EVERY = 10.0


class Command(BaseCommand):
    """Finds what is due and rings for it; does it itself where no worker comes. Needs no broker."""

    help = (
        "Look after racks: ring workers for due timers and operations, do what no worker comes for, find lost "
        "work, keep boot files right; and, one pulse at a time, expire and match requests. Runs until SIGTERM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the racks."""
        parser.add_argument(
            "--rack",
            action="append",
            default=[],
            help="a rack to look after; may be repeated (default: all racks)",
        )
        parser.add_argument("--once", action="store_true", help="look once, then leave")
        parser.add_argument("--no-bells", action="store_true", help="ring nobody, do everything here")

    def handle(self, *, rack: list[str], once: bool, no_bells: bool, **_: Any) -> None:
        """Beat until told to stop."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            racks = RackPulse.over(rack)
        except MozpoolError as error:
            self.stderr.write(f"pulse: {error}")
            raise SystemExit(error.exit_status) from error
        racks.ring_bells, racks.stays = not no_bells, not once
        pool = PoolPulse()
        known = time.monotonic()
        while not stop.is_set():
            if not rack and time.monotonic() - known > _LOOK_FOR_RACKS_EVERY:
                racks.racks, known = _racks_now(racks), time.monotonic()
            pause = _beat(racks, pool)
            if once:
                break
            stop.wait(pause)
        racks.pool.shutdown(wait=True)
        pool.stop()


def _beat(racks: RackPulse, pool: PoolPulse) -> float:
    """Beat once; give the seconds until the next beat."""
    try:
        now = clock.now()
        following = racks.beat(now)
        pool.beat(now)
        return max(0.02, (following - clock.now()).total_seconds())
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the database is away: %s", error)
        connection.close()
        return _DATABASE_AWAY


def _racks_now(racks: RackPulse) -> dict[int, str]:
    try:
        return RackPulse.over([]).racks
    except (DatabaseError, InterfaceError):
        connection.close()
        return racks.racks
