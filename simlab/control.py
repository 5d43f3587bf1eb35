"""A typed client of a running lab's control socket, for tests, benches and the command simlab.ctl.

Each method is one verb: one JSON line there, one back. An answer is {"ok": true, "value": {...}} or
{"ok": false, "error": "..."}; the latter is raised as LabError.
"""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simlab.fields import LabError

SECONDS_TO_ANSWER = 30.0


@dataclass(frozen=True)
class Entry:
    """One line of a board's history: wall time in Unix seconds, and what happened.

    The names: power_off, power_on, netboot, live_up, event:NAME (the server has answered 200), installed,
    install_failed, warm_reset, storage_boot, image_up, image_lost, no_image, hung, unhung, stopped:REASON.
    """

    time: float
    what: str


@dataclass(frozen=True)
class BoardView:
    """A board as it is now; `history` is empty in the views of `boards()`."""

    name: str
    phase: str
    power: bool
    hung: bool
    image: str | None
    boot_config: Mapping[str, object]
    faults: Mapping[str, float]
    script: tuple[str, ...]
    history: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class RelayCounters:
    """Connections served, made to wait and refused while at rest; commands; coils that moved."""

    connections: int
    waited: int
    refused: int
    commands: int
    switches: int


@dataclass(frozen=True)
class RelayBoardView:
    """A relay board as it is now; `off` lists the outlets whose devices have no power."""

    name: str
    fault: str | None
    off: tuple[str, ...]
    counters: RelayCounters


@dataclass(frozen=True)
class Calls:
    """Calls of all boards to the server: answered 200, tried again, given up."""

    answered: int
    tried_again: int
    failed: int


@dataclass(frozen=True)
class LabStats:
    """The whole lab: boards by phase, how many hang, calls, relay counters, resident bytes by process id."""

    phases: Mapping[str, int]
    hung: int
    calls: Calls
    relay_boards: Mapping[str, RelayCounters]
    rss: Mapping[str, int]

    @property
    def rss_bytes(self) -> int:
        """Resident memory of supervisor and workers together; pages that they share count in each."""
        return sum(self.rss.values())


class LabControl:
    """Talks to the lab whose control socket is at the path; LabError if there is none, or it refuses.

    A connection per call, so that an instance may be shared by threads and outlive a lab's restart.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        """One request by its verb, as the typed methods send it; the value of the answer."""
        request = json.dumps({"verb": verb, **arguments}).encode() + b"\n"
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(SECONDS_TO_ANSWER)
                connection.connect(str(self.path))
                connection.sendall(request)
                with connection.makefile("rb") as answers:
                    line = answers.readline()
        except OSError as error:
            raise LabError(
                f"no lab answers at {self.path}: {error}; start one by python -m simlab"
            ) from error
        if not line:
            raise LabError(f"the lab at {self.path} ended while it was asked")
        answer = json.loads(line)
        if not answer["ok"]:
            raise LabError(answer["error"])
        value: dict[str, Any] = answer["value"]
        return value

    def stats(self) -> LabStats:
        """Counts over the whole lab."""
        value = self.ask("stats")
        boards = {name: RelayCounters(**counters) for name, counters in value["relay_boards"].items()}
        return LabStats(value["phases"], value["hung"], Calls(**value["calls"]), boards, value["rss"])

    def board(self, name: str) -> BoardView:
        """One board with its history."""
        return _board(self.ask("board", name=name))

    def boards(self) -> dict[str, BoardView]:
        """All boards by name, without their histories."""
        return {name: _board(value) for name, value in self.ask("boards").items()}

    def history(self) -> dict[str, tuple[Entry, ...]]:
        """The histories of all boards by name."""
        return {name: _entries(value) for name, value in self.ask("history").items()}

    def relay_board(self, name: str) -> RelayBoardView:
        """One relay board."""
        return _relay_board(self.ask("relay_board", name=name))

    def fault_relay_board(
        self, name: str, fault: str, *, count: int | None = None, seconds: float | None = None
    ) -> RelayBoardView:
        """Gives a relay board a fault of RELAY_FAULTS: for so many commands, so long, or until healed."""
        return _relay_board(self.ask("fault", name=name, fault=fault, count=count, seconds=seconds))

    def heal_relay_board(self, name: str) -> RelayBoardView:
        """Ends a relay board's fault."""
        return _relay_board(self.ask("heal", name=name))

    def set_faults(self, device: str, faults: Mapping[str, float]) -> BoardView:
        """Replaces a board's probabilities; they count from its next boot on."""
        return _board(self.ask("set_faults", name=device, faults=dict(faults)))

    def set_script(self, device: str, script: Sequence[str]) -> BoardView:
        """Replaces a board's script: one entry for each network boot to come."""
        return _board(self.ask("set_script", name=device, script=list(script)))

    def break_image(self, what: str, fault: str = "") -> None:
        """Makes an image, or the build with a certain value in its boot config, bad on all boards; heals it by none."""
        self.ask("break_image", what=what, fault=fault)

    def hang(self, device: str, *, for_good: bool = False) -> BoardView:
        """Freezes a board where it is, until its power is cycled; for good, until `unhang`."""
        return _board(self.ask("hang", name=device, for_good=for_good))

    def unhang(self, device: str) -> BoardView:
        """Lets a hung board go on where it stood."""
        return _board(self.ask("unhang", name=device))

    def lose_image(self, device: str) -> BoardView:
        """Empties a board's storage; an image that is running runs on until the power goes."""
        return _board(self.ask("lose_image", name=device))

    def reset_counters(self) -> None:
        """Sets the counters of relay boards and calls back to zero."""
        self.ask("reset_counters")

    def clear_history(self) -> None:
        """Empties the histories of all boards."""
        self.ask("clear_history")


def _entries(items: Sequence[tuple[float, str]]) -> tuple[Entry, ...]:
    return tuple(Entry(time, what) for time, what in items)


def _board(value: dict[str, Any]) -> BoardView:
    history = _entries(value.pop("history", ()))
    return BoardView(**{**value, "script": tuple(value["script"])}, history=history)


def _relay_board(value: dict[str, Any]) -> RelayBoardView:
    counters = RelayCounters(**value["counters"])
    return RelayBoardView(value["name"], value["fault"], tuple(value["off"]), counters)
