"""Switching by programs of the administrator's own: argument lists that an installation has allowed, by name.

Nobody can bring a command along through the web pages: they only choose one of these, and the outlet.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bmm.deadline import Deadline
from bmm.drivers.power.base import OFF_SECONDS, PowerDriver
from bmm.drivers.program import Ended, run
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, Misconfigured, Refused


@dataclass(frozen=True)
class Commands:
    """The argument lists of one kind of switch; `state` may be empty: then switching cannot be verified.

    They may contain {outlet} and {address}, filled in within their argument. `state` prints on or off.
    """

    on: tuple[str, ...]
    off: tuple[str, ...]
    state: tuple[str, ...] = ()


_allowed: dict[str, Commands] = {}


def allow(commands: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Say which commands there are, instead of those that there were: name, then `on`, `off` and perhaps `state`."""
    _allowed.clear()
    for name, lists in commands.items():
        _allowed[name] = Commands(**{verb: tuple(words) for verb, words in lists.items()})


class CommandDriver(PowerDriver):
    """A switch that a program of this host reaches."""

    outlet_pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", re.ASCII)
    outlet_grammar = "up to 64 letters, digits, and . _ : - inside"
    address_help = "host or host:port, for {address} in the command; localhost if it needs none"
    settings: ClassVar[tuple[SettingSpec, ...]] = (
        SettingSpec("command", str, help="A name in MOZPOOL_POWER_COMMANDS."),
        OFF_SECONDS,
    )
    answer_seconds = 6.0

    def __init__(
        self, address: str, settings: Mapping[str, object] | None = None, **more: Callable[[float], None]
    ) -> None:
        """Take what every driver takes; a command that is not allowed is Misconfigured."""
        super().__init__(address, settings, **more)
        found = _allowed.get(self.text("command"))
        if found is None:
            there_are = ", ".join(sorted(_allowed)) or "none"
            raise Misconfigured(
                f"setting command: one of MOZPOOL_POWER_COMMANDS expected; there are: {there_are}"
            )
        self._commands = found
        self.verifies = bool(found.state)

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Run the command for on or off; a status other than 0 is a refusal."""
        self._execute(self._commands.on if on else self._commands.off, outlet, deadline)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Run the command that tells: it prints on or off."""
        words = self._execute(self._commands.state, outlet, deadline).out.split()
        if words not in (["on"], ["off"]):
            raise Garbled(f"{self._commands.state[0]} printed {' '.join(words)[:60]!r} instead of on or off")
        return words == ["on"]

    def answers(self, deadline: Deadline) -> bool:
        """Not to be had: no command asks nothing of an outlet."""
        raise Misconfigured(f"{self.text('command')} is a command: try it by `relay status` with an outlet")

    def _execute(self, words: Sequence[str], outlet: str, deadline: Deadline) -> Ended:
        known = {"{outlet}": self.check_outlet(outlet), "{address}": self.check_address(self.address)}
        filled = [re.sub(r"\{outlet\}|\{address\}", lambda found: known[found[0]], word) for word in words]
        ended = run(filled, deadline)
        if ended.status:
            raise Refused(f"{words[0]} ended with {ended.status} for {outlet}: {ended.complaint}")
        return ended
