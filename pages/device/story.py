"""Tells what happened to a device so that people can read it: steps with their durations, repeats folded. Pure.

Everything here goes from the newest to the oldest, as the page does.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

# What came so many times in a row is told once.
_REPEATED = 3
# A device that is tried again goes through six entries at most: two states and their operations, or three.
_LONGEST_ROUND = 6
_NUMBERS = re.compile(r"[0-9]+")
# Kinds whose neighbours are one piece of text, whatever they say.
_TEXTS = frozenset({"syslog", "agent"})


@dataclass(frozen=True)
class Entry:
    """Something that happened. `key` orders entries of one moment: time, the source's rank, the row's number.

    `state` is the one that was entered, `passed` those that were passed through in the same step. `seconds` is how
    long the state or the operation lasted; while it still does, `lasts` is true and they are those so far.
    """

    key: tuple[datetime, int, int]
    kind: str
    title: str
    detail: str = ""
    actor: str = ""
    event: str = ""
    state: str = ""
    passed: tuple[str, ...] = ()
    request: int | None = None
    seconds: float | None = None
    lasts: bool = False
    outcome: str = ""

    @property
    def time(self) -> datetime:
        """When it happened."""
        return self.key[0]

    @property
    def sameness(self) -> tuple[str, ...]:
        """What two entries share that are told as one; numbers in their words may differ."""
        if self.kind in _TEXTS:
            return (self.kind,)
        return (self.kind, self.state, _NUMBERS.sub("#", self.title), self.event, self.outcome)


@dataclass(frozen=True)
class Told:
    """An entry, or a round of entries that came `count` times in a row: `entries` has all of them."""

    entries: tuple[Entry, ...]
    count: int = 1

    @property
    def latest(self) -> tuple[Entry, ...]:
        """The newest round."""
        return self.entries[: len(self.entries) // self.count]

    @property
    def first(self) -> Entry:
        """The newest entry."""
        return self.entries[0]

    @property
    def oldest(self) -> Entry:
        """The oldest entry."""
        return self.entries[-1]

    @property
    def is_text(self) -> bool:
        """Whether these are lines of a text, rather than the same thing again and again."""
        return self.first.kind in _TEXTS

    @property
    def seconds(self) -> float:
        """How long it took from the oldest to the newest."""
        return (self.first.time - self.oldest.time).total_seconds()


@dataclass(frozen=True)
class Day:
    """What happened on one day in UTC."""

    date: datetime
    told: tuple[Told, ...]


def steps(entries: Sequence[Entry]) -> list[Entry]:
    """Make one entry of the states that a step went through at one moment, with what was noted for the same event."""
    found: list[Entry] = []
    for _, group in groupby(entries, key=lambda entry: (entry.time, entry.event, entry.actor, entry.key[1])):
        together = list(group)
        entered = [entry for entry in together if entry.state]
        if len(together) == 1 or not entered or not together[0].event:
            found += together
            continue
        last, *before = entered
        passed = tuple(entry.state for entry in reversed(before))
        notes = "; ".join(entry.title for entry in reversed(together) if not entry.state)
        found.append(replace(last, passed=passed, detail=notes))
    return found


def with_durations(entries: Iterable[Entry], left: datetime | None, now: datetime) -> list[Entry]:
    """Add how long each state lasted: until the next was entered. `left` is when the newest was; None: it lasts."""
    found = []
    for entry in entries:
        if not entry.state:
            found.append(entry)
            continue
        until = left or now
        seconds = max(0.0, (until - entry.time).total_seconds())
        found.append(replace(entry, seconds=seconds, lasts=left is None))
        left = entry.time
    return found


def folded(entries: Sequence[Entry]) -> Iterator[Told]:
    """Fold rounds of up to six entries that came three times in a row or more; the round that covers most wins."""
    at = 0
    names = [entry.sameness for entry in entries]
    while at < len(entries):
        length, count = max(
            ((length, _rounds(names, at, length)) for length in range(1, _LONGEST_ROUND + 1)),
            key=lambda found: (found[0] * found[1] if found[1] >= _REPEATED else 0, -found[0]),
        )
        taken = length * count if count >= _REPEATED else 1
        yield Told(tuple(entries[at : at + taken]), count if count >= _REPEATED else 1)
        at += taken


def by_day(told: Iterable[Told]) -> list[Day]:
    """Group what is told by the day of its newest entry."""
    return [
        Day(group[0].first.time, tuple(group))
        for group in (list(found) for _, found in groupby(told, key=lambda one: one.first.time.date()))
    ]


def _rounds(names: Sequence[tuple[str, ...]], at: int, length: int) -> int:
    """Count how many times in a row the round of this length that begins here comes."""
    wanted = names[at : at + length]
    count = 1
    while names[at + count * length : at + (count + 1) * length] == wanted and len(wanted) == length:
        count += 1
    return count
