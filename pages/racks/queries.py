"""What the rack maps show, in a handful of queries whatever the number of devices."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from bmm.controllers import driver_of, named_outlets
from bmm.errors import HardwareError
from bmm.readings import Reading
from devices.models import Device, PowerController, Rack
from devices.models.power_controller import ControllerHealth
from mozpool_site.errors import UnknownNameError
from pages.racks.places import Cell, counted, in_place

_COLUMNS = ("name", "state", "held_by", "state_since", "rack_id", "power_controller__name", "outlet")


@dataclass(frozen=True)
class Outlet:
    """An outlet of a controller, with its device if there is one. `power` is None until it is read back."""

    name: str
    cell: Cell | None
    power: str = ""
    told: str = ""


@dataclass(frozen=True)
class Board:
    """A power controller and its outlets; `controller` is None for devices that hang on none."""

    controller: PowerController | None
    outlets: tuple[Outlet, ...]
    health: str = "well"
    problem: str = ""

    @property
    def devices(self) -> int:
        """How many devices hang on it."""
        return sum(outlet.cell is not None for outlet in self.outlets)


def cells_in(racks: Collection[Rack] | None = None) -> list[Cell]:
    """Give the devices of some racks, or of all; one query."""
    devices = Device.objects.order_by()
    if racks is not None:
        devices = devices.filter(rack__in=racks)
    return [
        Cell(name, state, held_by, since, rack_id, controller or "", outlet)
        for name, state, held_by, since, rack_id, controller, outlet in devices.values_list(*_COLUMNS)
    ]


def racks_in_order() -> list[Rack]:
    """Give all racks as people count them: p2 before p10."""
    return sorted(Rack.objects.order_by(), key=lambda rack: counted(rack.name))


def rack_named(name: str) -> Rack:
    """Give a rack. Raises UnknownNameError."""
    rack = Rack.objects.filter(name=name).first()
    # MySQL compares more generously than we do.
    if rack is None or rack.name != name:
        raise UnknownNameError(f"there is no rack {name[:64]!r}", field="rack")
    return rack


def boards(rack: Rack, cells: Iterable[Cell], now: datetime) -> list[Board]:
    """Arrange a rack's devices by controller and outlet, empty outlets too where the driver can name them."""
    by_controller: dict[str, list[Cell]] = {}
    for cell in cells:
        by_controller.setdefault(cell.controller, []).append(cell)
    found = [
        board(controller, by_controller.pop(controller.name, []), now)
        for controller in sorted(rack.power_controllers.all(), key=lambda one: counted(one.name))
    ]
    # A device may hang on another rack's controller by mistake: it is shown all the same.
    strays = [Outlet(cell.outlet, cell) for left in by_controller.values() for cell in in_place(left)]
    return [*found, Board(None, tuple(strays))] if strays else found


def board(
    controller: PowerController,
    cells: Iterable[Cell],
    now: datetime,
    reading: Reading | None = None,
) -> Board:
    """Arrange a controller's devices by outlet, with what reading the outlets back gave."""
    by_outlet = {cell.outlet: cell for cell in cells}
    try:
        known = named_outlets(driver_of(controller))
        problem = ""
    except HardwareError as error:
        known, problem = [], str(error)
    read = {*reading.power, *reading.errors} if reading else set()
    names = sorted({*known, *by_outlet, *read}, key=counted)
    outlets = tuple(Outlet(name, by_outlet.get(name), *_told(name, reading)) for name in names)
    health, why = _health(controller, now)
    return Board(controller, outlets, "wrong" if problem else health, problem or why)


def _told(name: str, reading: Reading | None) -> tuple[str, str]:
    """Say what reading an outlet back gave: a word for the page's style, and one for people."""
    if reading is None or reading.at is None:
        return "", ""
    if name in reading.errors:
        return "error", reading.errors[name]
    power = reading.power.get(name)
    if power is None:
        return "unknown", "power not known"
    return ("on", "power on") if power else ("off", "power off")


def _health(controller: PowerController, now: datetime) -> tuple[str, str]:
    health = controller.health(now)
    if health in (ControllerHealth.WELL, ControllerHealth.UNASKED):
        return health.value, ""
    return health.value, controller.last_error or "it was silent, or several of its devices failed at once"
