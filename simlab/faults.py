"""What can go wrong with a board and with a relay board, and when: by script or by seeded chance."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simlab.fields import ConfigError, Fields, check_number, shown

BOARD_FAULTS: dict[str, str] = {
    "no_network_boot": "the loader does not find the network and boots its own storage",
    "hang_at_boot": "the live image hangs before it has called home",
    "install_fails": "the install script gives up while it writes the image",
    "hang_in_install": "the board hangs while it writes the image",
    "storage_fails": "the storage is broken: install, self-test, and the agent's mkdr and push fail",
    "storage_fails_later": "the install works; then the agent's mkdr and push fail",
    "lose_image": "the storage is empty when the board comes to boot from it",
    "agent_silent": "the agent accepts connections and says nothing",
}
"""Faults of a board with their meaning; each is drawn once per occasion below."""

IMAGE_FAULTS: dict[str, str] = {
    "download_fails": "the live image cannot fetch it, and gives up",
    "write_fails": "it is fetched, and cannot be written to the storage",
    "never_boots": "it is installed, and nothing of it ever comes up",
    "ports_closed": "it comes up, and none of its ports listens",
    "agent_silent": "its agent accepts connections and says nothing",
    "storage_fails_later": "its agent runs, and cannot write a file",
}
"""Faults of an image, or of one build of it, with their meaning: every board that gets it meets them."""

NETWORK_DRAWS = ("no_network_boot", "hang_at_boot", "install_fails", "hang_in_install", "storage_fails")
"""Drawn each time the board finds a boot file."""

STORAGE_DRAWS = ("lose_image", "storage_fails", "storage_fails_later", "agent_silent")
"""Drawn each time the board boots from its own storage; `lose_image` counts only after a power cycle."""

OK = "ok"
"""The word of a script for a network boot in which nothing goes wrong."""

RELAY_FAULTS: dict[str, str] = {
    "silence": "reads commands, does nothing, answers nothing",
    "lost_answer": "does what it is told and answers nothing",
    "garbage": "does nothing and answers bytes that make no sense",
    "wrong_status": "acknowledges a switch and does not move the relay",
    "wrong_reading": "reads every relay the wrong way round",
    "no_banks": "is an old board: does not know the commands for whole banks, and answers nothing to them",
    "refused": "closes its listener: connections are refused",
}
"""Faults of a relay board with their meaning."""


def read_rates(table: Mapping[str, object], where: str) -> dict[str, float]:
    """Probabilities by fault name from decoded JSON; ConfigError for an unknown name or a wrong number."""
    for name in table:
        if name not in BOARD_FAULTS:
            known = ", ".join(BOARD_FAULTS)
            raise ConfigError(f"{where}.{name}: unknown fault; known are {known}")
    return {name: check_number(rate, f"{where}.{name}", 0, 1) for name, rate in table.items()}


def read_script(items: Sequence[tuple[str, object]]) -> tuple[str, ...]:
    """A board's script from decoded JSON with the path of each item; ConfigError for an unknown name."""
    for where, name in items:
        if name != OK and name not in BOARD_FAULTS:
            known = ", ".join((OK, *BOARD_FAULTS))
            raise ConfigError(f"{where}: one of {known} expected, got {shown(name)}")
    return tuple(str(name) for _, name in items)


class FaultPlan:
    """Decides for one board what goes wrong at each boot.

    A scripted network boot uses up one entry of the script, and that entry alone decides until the next
    network boot; where the script has ended, the probabilities decide. The generator is used for nothing
    else, and each boot draws the same number of times, so a run with the same seed makes the same choices.
    """

    def __init__(self, rates: Mapping[str, float], script: Sequence[str], generator: random.Random) -> None:
        self.rates = dict(rates)
        self.script = list(script)
        self._generator = generator
        self._scripted: frozenset[str] | None = None

    def network_boot(self) -> frozenset[str]:
        """The faults of the network boot that begins now."""
        drawn = self._draw(NETWORK_DRAWS)
        self._scripted = None
        if self.script:
            entry = self.script.pop(0)
            self._scripted = frozenset() if entry == OK else frozenset({entry})
        return drawn if self._scripted is None else self._scripted

    def storage_boot(self, *, cold: bool) -> frozenset[str]:
        """The faults of the boot from storage that begins now; cold after a power cycle, not a reset."""
        drawn = self._draw(STORAGE_DRAWS)
        if self._scripted is not None:
            return self._scripted
        return drawn if cold else drawn - {"lose_image"}

    def _draw(self, names: Sequence[str]) -> frozenset[str]:
        # Every name draws, also at probability 0: else changing one rate would shift all later choices.
        chances = {name: self._generator.random() for name in names}
        return frozenset(name for name, chance in chances.items() if chance < self.rates.get(name, 0.0))


class BrokenImages:
    """Which images are bad, by name, and which builds, by a value of their boot configs."""

    def __init__(self) -> None:
        self._faults: dict[str, str] = {}

    def set(self, what: str, fault: str) -> None:
        """Gives an image or a build a fault of IMAGE_FAULTS, or none for an empty one; ConfigError for another."""
        if fault and fault not in IMAGE_FAULTS:
            raise ConfigError(f"fault: one of {', '.join(IMAGE_FAULTS)} expected, got {shown(fault)}")
        self._faults.pop(what, None)
        if fault:
            self._faults[what] = fault

    def of(self, image: str | None, boot_config: Mapping[str, object]) -> frozenset[str]:
        """The faults of what is being installed, or is installed."""
        names = (image, *(value for value in boot_config.values() if isinstance(value, str)))
        return frozenset(self._faults[name] for name in names if name in self._faults)


@dataclass(frozen=True)
class RelayFault:
    """A fault of a relay board: for a number of commands, for some seconds, or until it is cleared."""

    name: str
    count: int | None = None
    seconds: float | None = None

    @staticmethod
    def read(fields: Fields) -> "RelayFault":
        """From the fields `fault`, `count` and `seconds` of a control request."""
        name = fields.text("fault")
        if name not in RELAY_FAULTS:
            raise ConfigError(f"fault: one of {', '.join(RELAY_FAULTS)} expected, got {shown(name)}")
        count, seconds = fields.take("count", None), fields.take("seconds", None)
        if name == "refused" and count is not None:
            raise ConfigError(
                "count: `refused` closes the listener, so it lasts for seconds or until cleared"
            )
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise ConfigError(f"count: a whole number from 1 expected, got {shown(count)}")
        lasting = None if seconds is None else check_number(seconds, "seconds", 0, 86400)
        return RelayFault(name, count, lasting)
