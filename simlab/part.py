"""One worker's part of the lab: relay boards, the boards behind them, and the control socket's verbs."""

import os
import random
import resource
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from simlab.board import Board, Phase
from simlab.boot import boot
from simlab.config import NAME, LabConfig, RelayBoardSpec
from simlab.faults import RelayFault, read_rates, read_script
from simlab.fields import Fields, LabError
from simlab.http_calls import CallCounters
from simlab.relay_board import Coil, RelayBoard, coil_of

Value = dict[str, object]


class Part:
    """Boards and relay boards of one process; `crashed` hears of a board's fault that is a bug of the lab."""

    def __init__(self, config: LabConfig, crashed: Callable[[str, BaseException], None]) -> None:
        self.config = config
        self._crashed = crashed
        self.calls = CallCounters()
        self.boards = {spec.name: Board(spec, config, self.calls, boot, crashed) for spec in config.devices}
        self.relay_boards = {spec.name: self._relay_board(spec) for spec in config.relay_boards}

    def _relay_board(self, spec: RelayBoardSpec) -> RelayBoard:
        fed = {
            coil_of(board.spec.outlet): board
            for board in self.boards.values()
            if board.spec.relay_board == spec.name
        }

        def switched(coil: Coil) -> None:
            if coil in fed:
                fed[coil].set_power(on=coil not in relay_board.energised)

        generator = random.Random(f"{self.config.seed}:{spec.name}")
        relay_board = RelayBoard(spec, switched, generator, self._crashed)
        relay_board.energised.update(coil for coil, board in fed.items() if not board.spec.power)
        return relay_board

    async def start(self) -> None:
        """Opens every listener; LabError if one cannot be had."""
        for board in self.boards.values():
            await board.begin()
        for relay_board in self.relay_boards.values():
            relay_board.start()

    def stop(self) -> None:
        """Ends every board and closes every socket."""
        for relay_board in self.relay_boards.values():
            relay_board.stop()
        for board in self.boards.values():
            board.stop()

    def counts(self) -> dict[str, int]:
        """How many of what this part holds."""
        return {"devices": len(self.boards), "relay_boards": len(self.relay_boards)}

    def answer(self, request: Mapping[str, object]) -> Value:
        """Does what a control request asks and gives its answer; LabError if it cannot be done."""
        fields = Fields(request, "")
        verb = fields.text("verb")
        if verb not in VERBS:
            raise LabError(f"unknown verb {verb!r}; known are {', '.join(sorted(VERBS))}")
        return VERBS[verb](self, fields)

    def board(self, fields: Fields) -> Board:
        """The board that a request names."""
        name = fields.text("name", NAME, "a device's name")
        if name not in self.boards:
            raise LabError(f"no device {name}")
        return self.boards[name]

    def relay_board(self, fields: Fields) -> RelayBoard:
        """The relay board that a request names."""
        name = fields.text("name", NAME, "a relay board's name")
        if name not in self.relay_boards:
            raise LabError(f"no relay board {name}")
        return self.relay_boards[name]


def _stats(part: Part, _: Fields) -> Value:
    return {
        "phases": dict(Counter(board.phase.value for board in part.boards.values())),
        "hung": sum(board.hung for board in part.boards.values()),
        "calls": asdict(part.calls),
        "relay_boards": {name: asdict(board.counters) for name, board in part.relay_boards.items()},
        "rss": {str(os.getpid()): resident_bytes()},
    }


def _boards(part: Part, _: Fields) -> Value:
    return {name: board.view() for name, board in part.boards.items()}


def _board(part: Part, fields: Fields) -> Value:
    board = part.board(fields)
    return {**board.view(), "history": list(board.history)}


def _history(part: Part, _: Fields) -> Value:
    return {name: list(board.history) for name, board in part.boards.items()}


def _relay_board(part: Part, fields: Fields) -> Value:
    return part.relay_board(fields).view()


def _fault(part: Part, fields: Fields) -> Value:
    relay_board = part.relay_board(fields)
    relay_board.set_fault(RelayFault.read(fields))
    return relay_board.view()


def _heal(part: Part, fields: Fields) -> Value:
    relay_board = part.relay_board(fields)
    relay_board.set_fault(None)
    return relay_board.view()


def _set_faults(part: Part, fields: Fields) -> Value:
    board = part.board(fields)
    board.plan.rates = read_rates(fields.table("faults"), "faults")
    return board.view()


def _set_script(part: Part, fields: Fields) -> Value:
    board = part.board(fields)
    board.plan.script = list(read_script(fields.items("script")))
    return board.view()


def _break_image(part: Part, fields: Fields) -> Value:
    part.config.broken_images.set(fields.text("what"), str(fields.take("fault", "")))
    return {}


def _hang(part: Part, fields: Fields) -> Value:
    board = part.board(fields)
    for_good = fields.flag("for_good", default=False)
    if board.phase is Phase.OFF and not for_good:
        raise LabError(
            f"{board.spec.name} is off, and a hang ends with a power cycle; hang it for good instead"
        )
    board.hang(for_good=for_good)
    return board.view()


def _unhang(part: Part, fields: Fields) -> Value:
    board = part.board(fields)
    board.unhang()
    return board.view()


def _lose_image(part: Part, fields: Fields) -> Value:
    board = part.board(fields)
    board.lose_image()
    return board.view()


def _reset_counters(part: Part, _: Fields) -> Value:
    part.calls.reset()
    for relay_board in part.relay_boards.values():
        relay_board.counters = type(relay_board.counters)()
    return {}


def _clear_history(part: Part, _: Fields) -> Value:
    for board in part.boards.values():
        board.history.clear()
    return {}


VERBS: dict[str, Callable[[Part, Fields], Value]] = {
    "stats": _stats,
    "boards": _boards,
    "board": _board,
    "history": _history,
    "relay_board": _relay_board,
    "fault": _fault,
    "heal": _heal,
    "set_faults": _set_faults,
    "set_script": _set_script,
    "break_image": _break_image,
    "hang": _hang,
    "unhang": _unhang,
    "lose_image": _lose_image,
    "reset_counters": _reset_counters,
    "clear_history": _clear_history,
}
"""The verbs of the control socket; `name` in a request names the device or relay board."""


def resident_bytes() -> int:
    """Resident memory of this process in bytes, from the kernel."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
