"""Whose work a pulse does, and for how long it leaves that to others."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from devices.models import Rack
from mozpool_site.errors import UnknownNameError

# A rack that nobody came for once is not waited for anew with each thing: it is served here for so long.
_SERVE_HERE_FOR = timedelta(seconds=30)


@dataclass(frozen=True)
class Scope:
    """Which devices somebody looks after: all, those of some racks, or some."""

    # Over all racks nothing is asked for by rack: for a list of a thousand the database reads whole tables.
    racks: frozenset[int] | None = None
    devices: frozenset[int] | None = None

    @classmethod
    def of_racks(cls, names: list[str]) -> "Scope":
        """Return the scope of the named racks, of all when none is named. Raise UnknownNameError."""
        found = dict(Rack.objects.filter(name__in=names).values_list("name", "pk")) if names else {}
        for name in names:
            if name not in found:
                raise UnknownNameError(f"there is no rack {name!r}", field="rack")
        return cls(frozenset(found.values()) if names else None)

    @property
    def of_devices(self) -> Q:
        """Select its devices."""
        return self._own(Q(pk__in=self.devices or ()))

    @property
    def of_operations(self) -> Q:
        """Select the operations of its devices."""
        return self._own(Q(device_id__in=self.devices or ()))

    def _own(self, devices: Q) -> Q:
        if self.devices is not None:
            return devices
        return Q() if self.racks is None else Q(rack_id__in=self.racks)


@dataclass
class Patience:
    """How long work is left to the workers of its rack, before it is done here.

    With `bells` they are rung for it; `alone`, nothing is left to them.
    """

    bells: bool = True
    alone: bool = False
    # Seconds after which nobody can have heard the first ring.
    timers: timedelta = timedelta(seconds=3)
    operations: timedelta = timedelta(seconds=10)
    _serve_until: dict[int, datetime] = field(default_factory=dict)

    def serves(self, rack_id: int, now: datetime, *, unheard: bool) -> bool:
        """Whether to do a rack's work here. What was `unheard` tells that no worker comes, and is remembered."""
        if self.alone or now < self._serve_until.get(rack_id, now):
            return True
        if unheard:
            self._serve_until[rack_id] = now + _SERVE_HERE_FOR
        return unheard
