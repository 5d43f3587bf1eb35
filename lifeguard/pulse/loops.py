"""All the loops of whole racks."""

from datetime import datetime

from bmm import bootfiles
from lifeguard.pulse.operations import Lost, Operations
from lifeguard.pulse.probes import Inventories, SuspectControllers
from lifeguard.pulse.scope import Patience, Scope
from lifeguard.pulse.timers import Heartbeat, Timers
from mozpool_site.pulse.loop import Loop


class BootFiles(Loop):
    """Makes the boot files of whole racks match the database."""

    name = "boot files"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    def look(self, now: datetime) -> None:
        """Look once."""
        bootfiles.reconcile(self._scope.racks)


def loops(scope: Scope, patience: Patience, *, stays: bool = True) -> list[list[Loop]]:
    """Return what looks after whole racks, in groups that do not wait for one another.

    What does not stay gives no heartbeat: a look in passing is no promise to look again.
    """
    timers = Timers(scope, patience)
    heart: list[list[Loop]] = [[Heartbeat(scope, timers)]] if stays else []
    return [
        [timers, Lost(scope)],
        *heart,
        [Operations(scope, patience)],
        [BootFiles(scope), SuspectControllers(scope.racks)],
        [Inventories()],
    ]
