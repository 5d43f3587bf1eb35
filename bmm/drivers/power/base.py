"""What every power driver shares; a driver itself is little more than `set`, `get` and `answers`.

Here live reading each switch back and trying it once more, the pause between two devices that go on, and never
leaving a device off in silence. The one connection for a whole batch is in line.py.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache

from bmm.deadline import Deadline
from bmm.drivers.power.contract import OFF_SECONDS, SETTLE_SECONDS, Power, SwitchesTogether
from bmm.drivers.power.cycle import Cycle, Late
from bmm.drivers.power.line import PowerLine
from bmm.drivers.power.sweep import Results, Sweep, Turn
from bmm.errors import Garbled, HardwareError, OutOfTime, Refused

__all__ = ["OFF_SECONDS", "SETTLE_SECONDS", "Power", "PowerDriver"]

# Between two looks at an outlet that has been told: of the time that it has taken until now so much, but not less.
_LOOK_AGAIN_SECONDS, _LOOK_AGAIN_SHARE = 0.2, 0.1
# What is kept of a batch's time so that the last look still gets its answer.
_LAST_LOOK_SECONDS = 1.0


class PowerDriver(PowerLine):
    """A power controller with outlets, reached by one connection at a time.

    One object belongs to one thread. The batches (`cycle`, `switch`, `power_on`, `power_off`, `read`, `test`)
    open the connection when they need it and close it at their end; within `connected` they share that one.
    """

    def __init__(
        self,
        address: str,
        settings: Mapping[str, object] | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take an address as the driver defines it and the settings that it declares; else Misconfigured."""
        super().__init__(address, settings, sleep=sleep)
        self._next_on: Deadline | None = None
        self._together = True

    # -- what everybody else uses --------------------------------------------------------------------------

    def switch(self, wanted: Mapping[str, bool], deadline: Deadline) -> Results:
        """Bring each outlet to what is wanted (True: power on) and read it back, in one connection.

        Gives for every outlet None (read back as wanted) or the error that it met.
        """
        results, sound = self._sort(wanted)
        with self._line():
            results.update(self._run(sound, wanted, Sweep(self, self._switching(wanted, deadline), deadline)))
        return {outlet: results[outlet] for outlet in wanted}

    def power_on(self, outlets: Collection[str], deadline: Deadline) -> Results:
        """Switch the outlets on; as `switch`."""
        return self.switch(dict.fromkeys(outlets, True), deadline)

    def power_off(self, outlets: Collection[str], deadline: Deadline) -> Results:
        """Switch the outlets off; as `switch`."""
        return self.switch(dict.fromkeys(outlets, False), deadline)

    def cycle(self, outlets: Collection[str], deadline: Deadline, late: Late | None = None) -> Results:
        """Take the power from all outlets, rest once for `off_seconds`, and give it back, in one connection.

        Gives None only for an outlet that was read back off and then on. Otherwise the error that it met; an
        outlet that could not be seen on again says "may have been left off". Two thirds of the time (beside what
        states lag behind) are kept for switching on: whatever was, or may have been, switched off is switched on
        again, over new connections if need be, until the deadline. It has a third of the time even where the rest
        took too long.

        Where the driver `takes_late`, `late` is asked for outlets that came meanwhile, during the rest: they join, each
        with a rest of its own, and are among the results.
        """
        results, sound = self._sort(outlets)

        def joining() -> list[str]:
            failed, able = self._sort(late() if late else ())
            results.update(failed)
            return able

        with self._line():
            results.update(self._cycle(sound, deadline, joining if late and self.takes_late else None))
        return results

    @property
    def takes_late(self) -> bool:
        """Whether a cycle can take outlets that come during its rest without keeping the others waiting."""
        return self.stagger_seconds <= 0 and self.settle_seconds <= 0

    def read(self, outlets: Collection[str], deadline: Deadline) -> dict[str, Power]:
        """Ask for the power of each outlet in one connection: True for on, or the error that it met.

        None is what nobody can tell: the controller does not (`verifies` is False).
        """
        failed, sound = self._sort(outlets)
        states: dict[str, Power] = {}
        if not self.verifies:
            return {outlet: failed.get(outlet) for outlet in outlets}

        def note(turn: Turn) -> None:
            states[turn[0]] = self._is_on(turn[0], deadline)

        with self._line():
            failed.update(self._sweep(sound, note, deadline))
        states.update({outlet: error for outlet, error in failed.items() if error is not None})
        return {outlet: states[outlet] for outlet in outlets}

    def test(self, deadline: Deadline) -> bool:
        """Whether the controller answers its own test correctly; raises Unreachable when it is silent."""
        verdicts: list[bool] = []
        with self._line():
            results = self._sweep(
                [self.address],
                lambda _: verdicts.append(self.answers(deadline.sooner(self.answer_seconds)) is True),
                deadline,
            )
        error = results[self.address]
        if error is not None:
            raise error
        return verdicts[-1]

    # -- inside --------------------------------------------------------------------------------------------

    def _sort(self, outlets: Iterable[str]) -> tuple[Results, list[str]]:
        """Part the outlets that cannot exist (each with its error) from those that can, without doubles."""
        impossible: Results = {}
        sound: list[str] = []
        for outlet in dict.fromkeys(outlets):
            try:
                sound.append(self.check_outlet(outlet))
            except HardwareError as error:
                impossible[outlet] = error
        return impossible, sound

    def _sweep(self, outlets: Collection[str], act: Callable[[Turn], None], deadline: Deadline) -> Results:
        sweep = Sweep(self, act, deadline)
        sweep.run((outlet,) for outlet in outlets)
        return sweep.results

    def _switching(self, wanted: Mapping[str, bool], deadline: Deadline) -> Callable[[Turn], None]:
        """Give what one turn of a sweep does."""

        def act(turn: Turn) -> None:
            if len(turn) == 1 or not isinstance(self, SwitchesTogether):
                self._put(turn[0], wanted[turn[0]], deadline)
                return
            try:
                self.switch_together({outlet: wanted[outlet] for outlet in turn}, deadline)
            except BaseException:
                # What it did wrong once it is not trusted with again.
                self._together = False
                raise

        return act

    def _turns(self, outlets: Collection[str]) -> list[Turn]:
        """Say which outlets are switched by one command, where the driver knows one and the devices may go on so."""
        groups = self._groups(outlets) if self._together and self.stagger_seconds <= 0 else []
        grouped = {outlet for group in groups for outlet in group}
        return groups + [(outlet,) for outlet in outlets if outlet not in grouped]

    def _groups(self, outlets: Collection[str]) -> list[Turn]:
        if not isinstance(self, SwitchesTogether):
            return []
        try:
            groups = [tuple(group) for group in self.together(outlets)]
        except HardwareError:
            # One by one will do: what is off must go on.
            return []
        return [group for group in groups if group and {*group} <= {*outlets}]

    def _run(self, outlets: Collection[str], wanted: Mapping[str, bool], sweep: Sweep) -> Results:
        """Make a pass that switches; where reading lags behind, one that tells all, then one that looks."""
        if not (self.settle_seconds and self.verifies):
            sweep.run(self._turns(outlets))
            return sweep.results
        left = list(outlets)
        for tries in ("", " twice"):
            sweep.results.update(self._tell_and_look(left, wanted, sweep, tries))
            left = [outlet for outlet in left if isinstance(sweep.results[outlet], Refused)]
            if not left or sweep.deadline.expired:
                break
        return sweep.results

    def _tell_and_look(
        self, outlets: Collection[str], wanted: Mapping[str, bool], sweep: Sweep, tries: str
    ) -> Results:
        """Tell all what to do, so that their times do not add up, then read each back until it has settled."""
        settled: dict[str, Deadline] = {}
        last_look = Deadline(sweep.deadline.moment - _LAST_LOOK_SECONDS)

        def tell(turn: Turn) -> None:
            self._tell(turn[0], wanted[turn[0]], sweep.deadline)
            settled[turn[0]] = last_look.sooner(self.settle_seconds)

        def look(turn: Turn) -> None:
            outlet = turn[0]
            if outlet not in settled:
                tell(turn)
            if not self._reads(outlet, wanted[outlet], sweep.deadline, settled[outlet]):
                raise self._unmoved(outlet, wanted[outlet], tries)

        # The list is shared: what may have been switched off is known at every moment.
        first, second = (
            Sweep(self, act, sweep.deadline, sweep.insist, tried=sweep.tried) for act in (tell, look)
        )
        first.run((outlet,) for outlet in outlets)
        # Who insists tells once more whatever could not be told.
        heard = [outlet for outlet in outlets if sweep.insist or first.results[outlet] is None]
        second.run((outlet,) for outlet in heard)
        return {**first.results, **second.results}

    def _tell(self, outlet: str, on: bool, deadline: Deadline) -> None:
        if on and self._next_on is not None:
            self._pause(self._next_on.remaining(), deadline)
        self.set(outlet, on, deadline.sooner(self.answer_seconds))
        if on:
            self._next_on = Deadline.after(self.stagger_seconds)

    def _put(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Switch an outlet and read it back, once more if it reads wrong; then it is Refused."""
        for _ in range(2):
            self._tell(outlet, on, deadline)
            if not self.verifies or self._is_on(outlet, deadline) is on:
                return
        raise self._unmoved(outlet, on, " twice")

    def _unmoved(self, outlet: str, on: bool, tries: str) -> Refused:
        word, other = ("on", "off") if on else ("off", "on")
        return Refused(f"{outlet} of {self.address} was switched {word}{tries} and still reads {other}")

    def _reads(self, outlet: str, on: bool, deadline: Deadline, settled: Deadline) -> bool:
        while self._is_on(outlet, deadline) is not on:
            if settled.expired:
                return False
            # A service processor is not to be asked five times a second for half a minute.
            waited = self.settle_seconds - settled.remaining()
            self._pause(max(_LOOK_AGAIN_SECONDS, waited * _LOOK_AGAIN_SHARE), settled)
        return True

    def _is_on(self, outlet: str, deadline: Deadline) -> bool:
        on = self.get(outlet, deadline.sooner(self.answer_seconds))
        if not isinstance(on, bool):
            raise Garbled(f"{outlet} of {self.address}: its driver says neither on nor off")
        return on

    def _cycle(self, outlets: Collection[str], deadline: Deadline, late: Late | None) -> Results:
        spendable = deadline.remaining() - self.off_seconds - self.rest_seconds
        if spendable <= 0:
            short = (
                f"less than {self.off_seconds + self.rest_seconds:g} s are left, too little for a power cycle"
            )
            return {
                outlet: OutOfTime(f"{outlet} of {self.address} was not touched: {short}")
                for outlet in outlets
            }
        # Switching on costs as much as switching off, and more where the board has to be found again.
        late_by = min(self.late_seconds, spendable / 3)
        early = deadline.sooner((spendable - 2 * late_by) / 3 + late_by)

        def off(some: Collection[str], touched: list[str]) -> Results:
            wanted = dict.fromkeys(some, False)
            return self._run(some, wanted, Sweep(self, self._switching(wanted, early), early, tried=touched))

        # Who asked for more during the rest may have been kept waiting: what is off must go on all the same.
        ends = cache(lambda: max(deadline, Deadline.after(spendable / 3)))

        def on(some: Collection[str]) -> Results:
            wanted = dict.fromkeys(some, True)
            return self._run(some, wanted, Sweep(self, self._switching(wanted, ends()), ends(), insist=True))

        return Cycle(off, on, lambda seconds: self._pause(seconds, deadline), self.off_seconds, late).run(
            outlets
        )
