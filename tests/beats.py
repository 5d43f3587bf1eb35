"""The loops of a pulse, one after the other in this thread, at moments that a test chooses."""

from collections.abc import Sequence
from datetime import datetime

from lifeguard.pulse.loops import loops as rack_loops
from lifeguard.pulse.scope import Patience, Scope
from mozpool_site import clock
from mozpool_site.pulse.loop import Loop, look
from requests_app.pulse import pool_loops


class Beats:
    """Lets each loop look when a beat comes `every` so long or more after the last one at which it did."""

    def __init__(self, groups: Sequence[Sequence[Loop]]) -> None:
        self.loops = [loop for group in groups for loop in group]
        self._looked: dict[Loop, datetime] = {}

    def beat(self, now: datetime | None = None) -> datetime:
        """Beat once; return when a loop is to look again."""
        now = now or clock.now()
        following = []
        for loop in self.loops:
            before = self._looked.get(loop)
            if loop.wanted() and (before is None or now - before >= loop.every):
                self._looked[loop] = now
                following.append(look(loop, now))
        return min(following, default=now)

    def stop(self) -> None:
        """Let what runs in threads end."""
        for loop in self.loops:
            assert loop.end(60)


def rack_beats(*racks: str, alone: bool = False) -> Beats:
    """Return the beats of the named racks, of all when none is named."""
    return Beats(rack_loops(Scope.of_racks(list(racks)), Patience(alone=alone)))


def pool_beats() -> Beats:
    """Return the beats of the pool."""
    return Beats(pool_loops())
