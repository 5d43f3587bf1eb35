"""Going through a batch of outlets over a line that may break.

Which outlet gets its turn when, who is to blame, and when to give up.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from bmm.deadline import Deadline
from bmm.errors import HardwareError, Misconfigured, Unreachable

# For each outlet: None when it was done and read back, else what it met.
Results = dict[str, HardwareError | None]
# What is done by one call: mostly one outlet, or several that one command switches.
Turn = tuple[str, ...]

# One outlet may have a broken relay; two failures in a row, on two connections, are the board's own.
_FAILURES_OF_A_DEAD_BOARD = 2


class Line(Protocol):
    """The connection to a controller: opened when needed, dropped when it can no longer be trusted."""

    address: str

    def ensure_open(self, deadline: Deadline) -> None:
        """Connect unless it is done; raises HardwareError."""

    def drop(self) -> None:
        """Close the connection."""


@dataclass
class Sweep:
    """One pass over a batch. After `run`, `results` has every outlet, and `tried` those that were touched.

    After silence, garbage or a lost connection the line is dropped, since a late answer could be taken for
    that of the next outlet. The outlet in question goes to the end of the queue for a second and last try,
    the others go on over a new connection. After two failures in a row the board is taken for dead and all
    that is left is Unreachable; with `insist` it goes on, and connecting is tried until the deadline.
    Where a turn of several outlets fails, they and all that is left have their turns one by one.
    """

    line: Line
    act: Callable[[Turn], None]
    deadline: Deadline
    insist: bool = False
    results: Results = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def run(self, turns: Iterable[Turn]) -> None:
        """Act on every outlet; what happened to each is in `results`."""
        waiting = deque(turns)
        failures = 0
        last: HardwareError | None = None
        while waiting and not self.deadline.expired and (self.insist or failures < _FAILURES_OF_A_DEAD_BOARD):
            try:
                self.line.ensure_open(self.deadline)
            except Misconfigured as error:
                last = error
                break
            except HardwareError as error:
                failures, last = failures + 1, error
                continue
            turn = waiting.popleft()
            error_here = self._try(turn)
            failures, last = (failures + 1, error_here) if isinstance(error_here, Unreachable) else (0, last)
            if error_here is not None and len(turn) > 1:
                waiting = deque((outlet,) for each in (turn, *waiting) for outlet in each)
                continue
            if isinstance(error_here, Unreachable) and turn[0] not in self.results:
                waiting.append(turn)
            self.results.update(dict.fromkeys(turn, error_here))
        for outlet in (outlet for turn in waiting for outlet in turn):
            self.results.setdefault(outlet, self._not_reached(outlet, last))

    def _try(self, turn: Turn) -> HardwareError | None:
        self.tried += [outlet for outlet in turn if outlet not in self.tried]
        try:
            self.act(turn)
        except Unreachable as error:
            self.line.drop()
            return error
        except HardwareError as error:
            return error
        return None

    def _not_reached(self, outlet: str, last: HardwareError | None) -> HardwareError:
        # A controller that is tested is its own outlet.
        if last and (isinstance(last, Misconfigured) or outlet == self.line.address):
            return last
        reason = str(last) if last else "no time left"
        return Unreachable(f"{outlet} of {self.line.address} was not reached: {reason}")
