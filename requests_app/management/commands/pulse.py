"""`manage.py pulse`: the heart beat of some racks, and of the pool."""

import logging
import os
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lifeguard.pulse.scope import Patience, Scope
from mozpool_site import clock
from mozpool_site.errors import MozpoolError
from mozpool_site.schema import demand_schema_if_reachable
from requests_app import pulse_status
from requests_app.pulse import whole

logger = logging.getLogger(__name__)

# For what is in hand after SIGTERM: a batch of power operations ends by its own deadline of 20 s, or 80 where service
# processors show late what they did, a storage check by one of 30. systemd's TimeoutStopSec must be longer.
_LAST_SECONDS = 85.0


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
        parser.add_argument(
            "--status",
            action="store_true",
            help="do nothing; print which pulses were seen when, who looks after the pool, and what is parked",
        )

    def handle(self, *, rack: list[str], once: bool, no_bells: bool, status: bool, **_: Any) -> None:
        """Beat until told to stop."""
        try:
            demand_schema_if_reachable()
            scope = Scope.of_racks(rack)
        except MozpoolError as error:
            self.stderr.write(f"pulse: {error}")
            raise SystemExit(error.exit_status) from error
        if status:
            self.stdout.write("\n".join(pulse_status.lines(scope, clock.now())))
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        pulse = whole(scope, Patience(alone=no_bells), stays=not once)
        if once:
            pulse.once()
            pulse.end(seconds=_LAST_SECONDS)
        elif not pulse.run(stop, _LAST_SECONDS):
            logger.warning("what is in hand does not end; it is left as if this process had been killed")
            logging.shutdown()
            os._exit(0)
