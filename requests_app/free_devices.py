"""Which devices are free, told by the database: what availability.py says of one device, as a search along an index."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet, Value

from devices.models import Device, PowerController, Rack
from devices.models.power_controller import suspect
from devices.models.rack import pulse_silent
from lifeguard.quarantine import QUARANTINED
from lifeguard.states import DEVICE
from requests_app.memory import Memory
from requests_app.models import Request

# `idle_since` says the same as the two before it, and has the indexes.
_SERVES = (
    Q(
        state__in=DEVICE.tagged("serving"),
        held_by__isnull=True,
        idle_since__isnull=False,
        gone_since__isnull=True,
    )
    & ~QUARANTINED
)


@dataclass(frozen=True)
class Outages:
    """The racks whose pulse is silent, and the power controllers that are suspect, with the moment until when."""

    racks: frozenset[int]
    controllers: Mapping[int, datetime]

    def __hash__(self) -> int:
        return hash((self.racks, frozenset(self.controllers)))

    @property
    def devices(self) -> Q:
        """The condition of the devices that are out of reach; no rack has the id 0."""
        return Q(rack_id__in=self.racks or {0}) | Q(power_controller_id__in=[*self.controllers] or {0})

    def __bool__(self) -> bool:
        return bool(self.racks or self.controllers)


def _read(now: datetime) -> Outages:
    suspects = PowerController.objects.filter(suspect(now)).order_by()
    silent = Rack.objects.filter(pulse_silent(now)).order_by()
    rows = list(
        suspects.values_list(Value("controller"), "pk", "suspect_until").union(
            silent.values_list(Value("rack"), "pk", "pulse_seen"), all=True
        )
    )
    return Outages(
        frozenset(pk for what, pk, _ in rows if what == "rack"),
        {pk: until for what, pk, until in rows if what == "controller"},
    )


# What is out of reach, a second old at most as a rule: each filing would ask anew for what changes once in months.
outages: Memory[Outages] = Memory(_read, 1.0)


def free_devices(now: datetime, *, by_name: bool = False) -> QuerySet[Device]:
    """Select the devices that serve now; `by_name`: who names it, which waits for one that is out of reach."""
    return serving() if by_name else in_reach(serving(), outages.get(now))


def serving() -> QuerySet[Device]:
    """Select the devices that serve now, if they are in reach."""
    return Device.objects.filter(_SERVES)


def in_reach(devices: QuerySet[Device], known: Outages) -> QuerySet[Device]:
    """Leave out the devices that are out of reach."""
    return devices.exclude(known.devices) if known else devices


def stranded(now: datetime) -> QuerySet[Request]:
    """Select the requests for any device whose device is being prepared, and out of reach."""
    known = outages.get(now)
    if not known:
        return Request.objects.none()
    held = Device.objects.filter(known.devices, held_by__isnull=False)
    return Request.objects.filter(state="pending", requested_device=None, pk__in=held.values("held_by"))
