"""What the state tables ask of a power controller: whether a person switches it, and by how much it lags behind.

Remembered for some seconds: each filing would ask anew for what changes once in months.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bmm.drivers.power import driver_class
from bmm.errors import HardwareError
from devices.models import PowerController

_REMEMBERED_SECONDS = 5.0


@dataclass(frozen=True)
class Traits:
    """`extra_seconds`: how much longer than usual a batch of its operations may take."""

    by_hand: bool = False
    extra_seconds: float = 0.0


_ORDINARY = Traits()
_known: Mapping[int, Traits] = {}
_known_until = 0.0


def traits_of(controller_id: int | None) -> Traits:
    """Return the traits of a controller, as of some seconds ago at most; of none, the ordinary ones."""
    global _known, _known_until  # noqa: PLW0603 - one memory per process is the point
    if time.monotonic() >= _known_until:
        _known = _read()
        _known_until = time.monotonic() + _REMEMBERED_SECONDS
    return _ORDINARY if controller_id is None else _known.get(controller_id, _ORDINARY)


def traits_from(controller: PowerController | None) -> Traits:
    """Return the traits of a controller whose row is at hand."""
    return _ORDINARY if controller is None else _of_settings(controller.driver, controller.settings)


def forget() -> None:
    """Look anew the next time."""
    global _known_until  # noqa: PLW0603 - see above
    _known_until = 0.0


def _read() -> dict[int, Traits]:
    """Read those that are not ordinary; the settings of those alone whose settings matter."""
    drivers = dict(PowerController.objects.order_by().values_list("pk", "driver"))
    kinds = {name: _of_settings(name, {}) for name in set(drivers.values())}
    special = [name for name, traits in kinds.items() if traits != _ORDINARY]
    if not special:
        return {}
    rows = PowerController.objects.order_by().filter(driver__in=special)
    return {pk: _of_settings(name, given) for pk, name, given in rows.values_list("pk", "driver", "settings")}


def _of_settings(name: str, given: Mapping[str, object]) -> Traits:
    try:
        kind = driver_class(name)
        return Traits(kind.by_hand, kind.extra_seconds_of(given))
    except HardwareError:
        return _ORDINARY
