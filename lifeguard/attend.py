"""Pushes certain devices through their work from the process that waits for them, where no worker or pulse comes.

It lets the pulse's own loops look, at these devices only; so whoever comes second finds nothing to do.
"""

import logging
import socket
from datetime import timedelta
from types import TracebackType
from typing import Self

from bmm import bootfiles
from bmm.errors import Misconfigured
from devices.models import Device, Rack
from lifeguard.pulse.operations import Lost, Operations
from lifeguard.pulse.scope import Patience, Scope
from lifeguard.pulse.timers import Timers
from mozpool_site import clock

logger = logging.getLogger(__name__)

# A worker takes a rung operation within milliseconds; one that has waited so long waits for nobody.
PATIENCE = timedelta(seconds=2)
# Boards that are silent keep a thread for seconds each.
_THREADS = 16
# Hardware in our hands comes to its end within its own deadline.
_LAST_SECONDS = 40.0


class Attendant:
    """Looks after devices while somebody waits for them; to be used in a `with`, and asked to `look` often.

    With `here` nothing is left to others first, and the host need not be the rack's imaging server. A look of an
    attendant of whom `timers` is False lets no deadline pass: it only runs operations.
    """

    def __init__(self, *, here: bool = False, timers: bool = True) -> None:
        patience = Patience(bells=False, alone=here, timers=PATIENCE, operations=PATIENCE)
        nothing = Scope(devices=frozenset())
        self._here = here
        self._timers = Timers(nothing, patience) if timers else None
        self._lost = Lost(nothing)
        self._operations = Operations(nothing, patience, threads=_THREADS)
        self._racks: dict[int, bool] = {}
        self._synced: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is running switches power: it is let finish.
        self._operations.end(_LAST_SECONDS)

    def look(self, device_ids: list[int]) -> None:
        """Do what is overdue of these devices: deadlines and lost operations at once, operations in threads."""
        now = clock.now()
        if self._timers is not None:
            self._timers.scope = Scope(devices=frozenset(device_ids))
            self._timers.look(now)
        ours = self._ours(device_ids)
        self._lost.scope = self._operations.scope = Scope(devices=frozenset(ours))
        self._lost.look(now)
        self._sync_boot_files(ours)
        self._operations.look(now)

    def not_ours(self, device_ids: list[int]) -> list[Rack]:
        """Give the racks of devices whose hardware this host leaves to the rack's own imaging server."""
        away = set(device_ids) - set(self._ours(device_ids))
        return list(Rack.objects.filter(devices__in=away).distinct())

    def _ours(self, device_ids: list[int]) -> list[int]:
        """Choose the devices that this host may touch: a boot file on another host would be of no use."""
        if self._here:
            return device_ids
        places = Device.objects.filter(pk__in=device_ids).values_list("pk", "rack_id", "rack__address")
        for _, rack_id, address in places:
            if rack_id not in self._racks:
                self._racks[rack_id] = _is_this_host(address)
        return [pk for pk, rack_id, _ in places if self._racks[rack_id]]

    def _sync_boot_files(self, device_ids: list[int]) -> None:
        """Let boot files follow each move: a board that finds last boot's file would install a second time."""
        for pk, seq in Device.objects.filter(pk__in=device_ids).values_list("pk", "state_seq"):
            if self._synced.get(pk) != seq:
                try:
                    bootfiles.sync(pk)
                except (Misconfigured, OSError) as error:
                    # The power operation that needs the file meets the same, and tells the device's machine.
                    logger.error("boot file of device %s: %s", pk, error)  # noqa: TRY400 - the message says it all
                self._synced[pk] = seq


def _is_this_host(address: str) -> bool:
    """Whether an IP address is one of this host's own: only those can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
