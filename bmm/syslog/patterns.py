"""Looks for alarming lines, in time linear in their length: RE2 never backtracks, whatever people write.

Needs no database: the built-in patterns are here, and an installation's own are rows (models.LogPattern).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import re2
from django.core.exceptions import ValidationError

logger = logging.getLogger(__name__)

LONGEST_NAME = 48
LONGEST_REGEX = 300
# Instructions that RE2 makes of one pattern: `(\w{100}){10}` is short to write and takes long to look for.
_LARGEST_PROGRAM = 2000
# RE2 keeps what it has learnt of the lines so far, up to here, for each expression. Above it only gets slower.
_MEMORY = 16 * 2**20


@dataclass(frozen=True)
class Pattern:
    """What to look for; a device's next hit counts `cooldown` seconds after one. `serious`: its health is in doubt."""

    name: str
    regex: str
    serious: bool
    cooldown: float = 60.0


BUILT_IN = (
    Pattern("kernel_panic", r"Kernel panic - not syncing", serious=True),
    Pattern(
        "kernel_oops",
        r"Internal error: Oops|Unable to handle kernel |BUG: unable to handle |kernel BUG at |Oops: [0-9a-f]{4} ",
        serious=True,
    ),
    Pattern(
        "storage_error",
        r"I/O error,? (?:on )?dev(?:ice)? (?:mmcblk|sd[a-z]|nvme)|mmcblk\d+[^:]*: error -?\d+|mmc\d+: [^:]*error -\d+"
        r"|mmc\d+: Timeout waiting for hardware|EXT4-fs error \(device ",
        serious=True,
    ),
    # The device serves whoever has it: what they run on it is their affair.
    Pattern("out_of_memory", r"invoked oom-killer|Out of memory: Kill", serious=False),
)


def validate_regex(text: str) -> None:
    """Refuse what RE2 can't compile, what makes it slow, and what would find every line."""
    try:
        program = _compiled(text)
    except re2.error as error:
        raise ValidationError(f"RE2 can't read this: {_said(error)}.") from None
    if program.programsize > _LARGEST_PROGRAM:
        raise ValidationError("This is too large to be looked for in every line: fewer repetitions, please.")
    if program.search(b"") is not None:
        raise ValidationError("This finds every line, even an empty one.")


class Watchdog:
    """Says which patterns a device's line hits, each at most once in its cooldown. One thread asks."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple(patterns)
        self._single: list[tuple[Pattern, Any]] = []
        for pattern in self.patterns:
            try:
                self._single.append((pattern, _compiled(pattern.regex)))
            except re2.error as error:
                # A row that no form has checked must not blind us to the others.
                logger.error("pattern %s: RE2 can't read it: %s", pattern.name, _said(error))  # noqa: TRY400
        # Nearly no line hits any: one search tells.
        together = "|".join(f"(?:{pattern.regex})" for pattern, _ in self._single)
        self._any = _compiled(together) if together else None
        self._quiet_until: dict[tuple[int, str], float] = {}

    def hits(self, device_id: int, text: str, now: float) -> list[Pattern]:
        """Give the patterns that a line hits; `now` is of a clock that never goes back."""
        if self._any is None:
            return []
        line = text.encode()
        if self._any.search(line) is None:
            return []
        return [
            pattern
            for pattern, compiled in self._single
            if compiled.search(line) is not None and self._awake(device_id, pattern, now)
        ]

    def heir(self, patterns: Iterable[Pattern]) -> "Watchdog":
        """Make one that looks for other patterns, and remembers whom this one has told of."""
        made = Watchdog(patterns)
        made._quiet_until = self._quiet_until
        return made

    def _awake(self, device_id: int, pattern: Pattern, now: float) -> bool:
        key = (device_id, pattern.name)
        if self._quiet_until.get(key, now) > now:
            return False
        self._quiet_until[key] = now + pattern.cooldown
        return True


def _compiled(regex: str) -> Any:
    options = re2.Options()
    # Its own log goes to stderr in a form of its own; we tell.
    options.log_errors = False
    options.max_mem = _MEMORY
    options.never_capture = True
    return re2.compile(regex, options)


def _said(error: Exception) -> str:
    told = error.args[0] if error.args else error
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
