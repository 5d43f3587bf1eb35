"""A power controller as a command reaches it: by the row that describes it, with its lease, or bare by its address."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bmm import controller_lease
from bmm.controllers import driver_of, named_outlets, rest_after
from bmm.deadline import Deadline
from bmm.drivers.address import parse_address
from bmm.drivers.guard import guarded_settings
from bmm.drivers.power import PowerDriver, make_driver
from bmm.drivers.power.proxr import ProXRDriver
from bmm.errors import Misconfigured
from devices.models import Device, PowerController
from mozpool_site.errors import InvalidInputError, UnknownNameError

# A batch for a full board takes a few seconds; longer than this nobody wants to wait for his turn.
_TURN_SECONDS = 5.0
# A batch must be over before the lease ends; it has what the driver needs beside these.
SECONDS = 20.0
_PROXR_PORT = 2101


@dataclass(frozen=True)
class Board:
    """A driver for one board, and what the database knows of it: its row and the devices on its outlets."""

    driver: PowerDriver
    controller: PowerController | None = None
    devices: dict[str, Device] = field(default_factory=dict)

    @contextmanager
    def in_turn(self) -> Iterator[Deadline]:
        """Hold the board's lease, where it has one, and give the time that there is.

        Raises ConflictError, naming the holder, when somebody else keeps the board for five seconds.
        """
        seconds = SECONDS + self.driver.extra_seconds
        if self.controller is None:
            yield Deadline.after(seconds)
            return
        with controller_lease.in_turn(self.controller, rest_after(self.driver), _TURN_SECONDS):
            controller_lease.keep(self.controller.pk, self.driver.extra_seconds)
            yield Deadline.after(seconds)


def find_board(text: str, *, driver: str = "proxr", with_database: bool = True) -> Board:
    """Find a board by its controller's name, or by its address, which needs no row.

    A row with that address is used, for its lease. Raises UnknownNameError for what is neither, InvalidInputError for
    an address or a driver that there can't be.
    """
    row = PowerController.objects.filter(name=text).first() or _by_address(text) if with_database else None
    try:
        if row is not None:
            made = driver_of(row)
        elif "." in text or ":" in text:
            made = make_driver(driver, text)
            with guarded_settings(f"the address {text}"):
                made.check_address(text)
        else:
            raise UnknownNameError(
                f"there is no power controller {text!r}, and it is no address", field="controller"
            )
    except Misconfigured as error:
        raise InvalidInputError(str(error), field="controller") from error
    if row is None:
        return Board(made)
    devices = Device.objects.filter(power_controller=row).exclude(outlet="")
    return Board(made, row, {device.outlet: device for device in devices})


def find_outlets(board: Board, words: list[str]) -> list[str]:
    """Read `all`, `BANK RELAY` or outlets as the driver writes them; InvalidInputError for what it can't have.

    All are those that the driver can name, or else those that devices are plugged into.
    """
    driver = board.driver
    if not words or words == ["all"]:
        every = named_outlets(driver) or sorted(board.devices)
        if not every:
            raise InvalidInputError("no device is known on it: name its outlets", field="outlet")
        return every
    numbers = 2  # a bank and a relay
    relays = isinstance(driver, ProXRDriver)
    if relays and len(words) == numbers and all(word.isascii() and word.isdigit() for word in words):
        words = [f"bank{words[0]}:relay{words[1]}"]
    try:
        return [driver.check_outlet(word) for word in words]
    except Misconfigured as error:
        raise InvalidInputError(str(error), field="outlet") from error


def _by_address(text: str) -> PowerController | None:
    wanted = _host_and_port(text)
    if wanted is None:
        return None
    rows = PowerController.objects.filter(address__startswith=wanted[0])
    return next((row for row in rows if _host_and_port(row.address) == wanted), None)


def _host_and_port(address: str) -> tuple[str, int] | None:
    try:
        return parse_address(address, _PROXR_PORT)
    except Misconfigured:
        return None
