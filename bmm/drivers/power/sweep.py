"""Going through a batch of outlets over a line that may break.

Which outlet gets its turn when, who is to blame, and when to give up.
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from bmm.deadline import Deadline
from bmm.errors import HardwareError, Misconfigured, Unreachable

# For each outlet: None when it was done and read back, else what it met.
Results = dict[str, HardwareError | None]

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
    """

    line: Line
    act: Callable[[str], None]
    deadline: Deadline
    insist: bool = False
    results: Results = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def run(self, outlets: Collection[str]) -> None:
        """Act on every outlet; what happened to each is in `results`."""
        waiting = deque(outlets)
        failures = 0
        last: HardwareError | None = None
        while waiting and not self.deadline.expired and (self.insist or failures < _FAILURES_OF_A_DEAD_BOARD):
            try:
                self.line.ensure_open(self.deadline)
            except Unreachable as error:
                failures, last = failures + 1, error
                continue
            except HardwareError as error:
                last = error
                break
            outlet = waiting.popleft()
            error_here = self._try(outlet)
            if isinstance(error_here, Unreachable):
                failures, last = failures + 1, error_here
                if outlet not in self.results:
                    waiting.append(outlet)
            else:
                failures = 0
            self.results[outlet] = error_here
        for outlet in waiting:
            self.results.setdefault(outlet, self._not_reached(outlet, last))

    def _try(self, outlet: str) -> HardwareError | None:
        if outlet not in self.tried:
            self.tried.append(outlet)
        try:
            self.act(outlet)
        except Unreachable as error:
            self.line.drop()
            return error
        except HardwareError as error:
            return error
        return None

    def _not_reached(self, outlet: str, last: HardwareError | None) -> HardwareError:
        if isinstance(last, Misconfigured):
            return last
        reason = str(last) if last else "no time left"
        return Unreachable(f"{outlet} of {self.line.address} was not reached: {reason}")
