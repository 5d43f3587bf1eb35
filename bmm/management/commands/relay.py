"""`manage.py relay`: talks to a power controller itself, whatever is plugged into it."""

from argparse import ArgumentParser
from collections.abc import Collection
from typing import Any

from bmm.controllers import note_health
from bmm.deadline import Deadline
from bmm.drivers.power.base import Power
from bmm.errors import HardwareError, Misconfigured
from bmm.management.board import SECONDS, Board, find_board, find_outlets
from bmm.models import Kind
from bmm.operations import Answer
from bmm.questions import ask_from_here
from devices import journal
from mozpool_site import clock
from mozpool_site.commands import MozpoolCommand, operator
from mozpool_site.errors import InvalidInputError

_VERBS = {
    "status": "say which devices have power",
    "on": "give power",
    "off": "take power away",
    "cycle": "take power away, wait a second, give it back",
    "test": "see whether it answers, by a question that switches nothing",
}


class Command(MozpoolCommand):
    """Reads and switches outlets."""

    help = (
        "Read and switch the outlets of a power controller, whatever its driver, and read each switch back where it\n"
        "can tell. Call it by its name, or by an address that needs not be in the inventory. One of the inventory is\n"
        "leased first: while a worker talks to it, this command waits for some seconds, then says who holds it."
    )
    examples = (
        "  manage.py relay status relay-1-1\n"
        "  manage.py relay off relay-1-1 2 7            bank 2, relay 7\n"
        "  manage.py relay cycle pdu-3 1 4              outlets 1 and 4 of a PDU\n"
        "  manage.py relay cycle 10.1.0.21 bank2:relay7 bank2:relay8\n"
        "  manage.py relay on 10.1.0.21 all\n"
        "  manage.py relay test 10.1.0.21 --without-database"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a verb, a board and its outlets."""
        verbs = "; ".join(f"{verb}: {what}" for verb, what in _VERBS.items())
        parser.add_argument("verb", choices=_VERBS, help=verbs)
        parser.add_argument("board", metavar="ADDRESS|CONTROLLER", help="the power controller")
        parser.add_argument(
            "outlets", nargs="*", metavar="OUTLET",
            help="BANK RELAY as two numbers, or bank2:relay7 any number of times, or all (status: all by default); "
            "of other drivers any number of outlets, as they write them",
        )  # fmt: skip
        parser.add_argument("--driver", default="proxr", help="of a bare address (default: proxr)")
        parser.add_argument(
            "--without-database", action="store_true",
            help="for an address, when the database is down: nothing is leased, so make sure that no worker runs",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, **options: Any) -> None:
        """Read or switch."""
        verb, words = options["verb"], options["outlets"]
        if verb == "test" and words:
            raise InvalidInputError("test takes no outlets: it is the board's own", field="outlet")
        if verb in ("on", "off", "cycle") and not words:
            raise InvalidInputError(f"{verb}: BANK RELAY, bank2:relay7 or all expected", field="outlet")
        board = find_board(
            options["board"], driver=options["driver"], with_database=not options["without_database"]
        )
        try:
            if verb == "test":
                self._test(board, as_json=options["json"])
            else:
                self._work(board, verb, find_outlets(board, words), as_json=options["json"])
        except Misconfigured as error:
            raise InvalidInputError(str(error), field="controller") from error
        except HardwareError as error:
            self.fail(f"{error}. {error.advice}", 1)

    def _test(self, board: Board, *, as_json: bool) -> None:
        wrong = ""
        if board.controller is not None:
            outcome = ask_from_here(Kind.TEST_CONTROLLER, board.controller)
            if outcome.answer == Answer.MISCONFIGURED:
                raise InvalidInputError(outcome.message, field="controller")
            wrong = "" if outcome.answer == Answer.OK else outcome.told
        elif not board.driver.test(Deadline.after(SECONDS)):
            wrong = f"{board.driver.address} answers, but does not pass its test"
        if as_json:
            self.show_json({"address": board.driver.address, "ok": not wrong})
        if wrong:
            self.fail(wrong, 1)
        if not as_json:
            self.say(f"{board.driver.address} is well")

    def _work(self, board: Board, verb: str, outlets: list[str], *, as_json: bool) -> None:
        with board.in_turn() as deadline:
            if verb == "status":
                found = board.driver.read(outlets, deadline)
                noted: Collection[Power] = found.values()
            else:
                _note(board, verb, outlets)
                noted, found = _switch(board, verb, outlets, deadline)
            if board.controller is not None and (verb != "status" or board.driver.verifies):
                note_health(board.controller, noted, clock.now())
        self._show(board, found, as_json=as_json)
        errors = [error for error in found.values() if isinstance(error, HardwareError)]
        for error in errors:
            if isinstance(error, Misconfigured):
                raise error
        if errors:
            self.fail(f"{len(errors)} of {len(found)} outlets failed: {errors[0]}. {errors[0].advice}", 1)

    def _show(self, board: Board, found: dict[str, Power], *, as_json: bool) -> None:
        names = {outlet: device.name for outlet, device in board.devices.items()}
        if as_json:
            self.show_json(
                [
                    {
                        "outlet": outlet,
                        "device": names.get(outlet),
                        "power": None if isinstance(power, HardwareError) else power,
                        "error": str(power) if isinstance(power, HardwareError) else None,
                    }
                    for outlet, power in found.items()
                ]
            )
            return
        self.show_table(
            ("OUTLET", "DEVICE", "POWER"),
            [(outlet, names.get(outlet), _word(power)) for outlet, power in found.items()],
        )


def _switch(
    board: Board, verb: str, outlets: list[str], deadline: Deadline
) -> tuple[Collection[Power], dict[str, Power]]:
    """Switch; give what each outlet met, and each outlet's power as far as it was read back."""
    driver = board.driver
    action = {"on": driver.power_on, "off": driver.power_off, "cycle": driver.cycle}[verb]
    results = action(outlets, deadline)
    seen = verb != "off" if driver.verifies else None
    return results.values(), {outlet: error or seen for outlet, error in results.items()}


def _word(power: Power) -> str:
    if isinstance(power, HardwareError):
        return f"unknown: {power}"
    if power is None:
        return "unknown: this controller cannot tell"
    return "on" if power else "off"


def _note(board: Board, verb: str, outlets: list[str]) -> None:
    """Leave a line in the journal of each device whose power is about to be switched."""
    by, now = operator(), clock.now()
    message = f"power {verb} at the relay board, asked for by {by.name}"
    touched = [board.devices[outlet] for outlet in outlets if outlet in board.devices]
    journal.append(
        [journal.line(message, now, device_id=device.pk, by=by, event="relay") for device in touched]
    )
