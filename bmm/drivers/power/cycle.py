"""One power cycle of a batch: off, a rest without power, on again. What comes during the rest may join it."""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from bmm.deadline import Deadline
from bmm.drivers.power.sweep import Results
from bmm.errors import HardwareError, Misconfigured

# Asked during the rest: which outlets are to be cycled, too.
Late = Callable[[], Collection[str]]

_LOOK_SECONDS = 0.05


@dataclass
class Cycle:
    """A cycle as a driver carries it out.

    `off` notes what was, or may have been, switched off in the list that it is given, at every moment; `on` switches
    on, and gives up only at the deadline.
    """

    off: Callable[[Collection[str], list[str]], Results]
    on: Callable[[Collection[str]], Results]
    pause: Callable[[float], None]
    rest_seconds: float
    late: Late | None = None
    _off_results: Results = field(default_factory=dict)
    _on_results: Results = field(default_factory=dict)
    _touched: list[str] = field(default_factory=list)
    _resting: deque[tuple[Deadline, list[str]]] = field(default_factory=deque)

    def run(self, outlets: Collection[str]) -> Results:
        """Cycle the outlets and those that join; give for each what it met."""
        # In a finally, so that even an interrupt in the middle gives the devices their power back.
        try:
            self._take(outlets)
            while self._resting:
                rested, touched = self._resting[0]
                if touched:
                    self._rest(rested)
                # Who comes after the first rest has the next cycle.
                self.late = None
                self._give_back(touched)
                self._resting.popleft()
        finally:
            self._give_back([outlet for outlet in self._touched if outlet not in self._on_results])
        return {
            outlet: _verdict(outlet, off, self._on_results.get(outlet))
            for outlet, off in self._off_results.items()
        }

    def _take(self, outlets: Collection[str]) -> None:
        before = len(self._touched)
        self._off_results.update(self.off(outlets, self._touched))
        self._resting.append((Deadline.after(self.rest_seconds), self._touched[before:]))

    def _give_back(self, outlets: Collection[str]) -> None:
        if outlets:
            self._on_results.update(self.on(outlets))
        # A moment ago it let us switch these off, so what it says now of our login or of the outlet may pass.
        again = [outlet for outlet in outlets if isinstance(self._on_results.get(outlet), Misconfigured)]
        if again:
            self._on_results.update(self.on(again))

    def _rest(self, rested: Deadline) -> None:
        while self.late is not None and rested.remaining() > _LOOK_SECONDS:
            self.pause(_LOOK_SECONDS)
            joining = self.late()
            if joining:
                self._take(joining)
        self.pause(rested.remaining())


def _verdict(outlet: str, off: HardwareError | None, on: HardwareError | None) -> HardwareError | None:
    if on is not None:
        return type(on)(f"{outlet} may have been left off: {on}")
    return off
