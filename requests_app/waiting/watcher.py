"""Tells whoever waits in this web process of changes: one look at the database each half second, for all together.

Who waits holds no thread, no connection and no transaction, only an entry here. Lines of the journal may become
visible out of the order of their numbers, as their transactions end: so the last seconds are looked at again.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Min

from devices.models import Journal
from mozpool_site import clock
from mozpool_site.stopping import asked_to_stop, stopping
from mozpool_site.transactions import UNAVAILABLE
from mozpool_site.waiting import OnePerLoop, in_thread
from requests_app.models import Request

logger = logging.getLogger(__name__)
Line = Mapping[str, Any]

PAUSE = 0.5
# A transaction that writes the journal may take so long until its lines are seen: longer than a wait for a lock.
LOOK_BACK = 10.0
# Lines that somebody who reads slowly may be behind; then the stream ends, and is resumed by its last line.
_MOST_BEHIND = 2000
LINE = (
    "id", "time", "device_id", "request_id", "source", "actor", "event", "from_state", "to_state", "message",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which lines of the journal somebody wants: of a device, of a request, or all."""

    device: int | None = None
    request: int | None = None

    def takes(self, device: int | None, request: int | None) -> bool:
        """Whether a line about these is wanted."""
        return self.device in (None, device) and self.request in (None, request)


@dataclass(eq=False)
class Watch:
    """What somebody waits for: a change of a request's `state_seq` (-1: it is gone), lines of the journal, or both.

    `resume` is the number of the line after which to go on, once all of `lines` are taken: a line that may yet come
    has a larger number. It is None until the first look: what happens after that is not missed.
    """

    number: int | None = None
    wanted: Wanted | None = None
    seq: int | None = None
    lines: list[Line] = field(default_factory=list)
    resume: int | None = None
    over: bool = False
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def news(self, seconds: float) -> bool:
        """Wait for the next news, for so long; False when there were none."""
        try:
            # Not wait_for: in Python 3.11 it forgets that it was cancelled when the news come at that moment.
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True

    async def begun(self) -> None:
        """Wait for the first look."""
        while self.resume is None and not self.over:
            await self.news(PAUSE)

    async def differs(self, seq: int, seconds: float) -> bool:
        """Wait until `state_seq` is beyond `seq`, or the request is gone, for so long at most.

        The last look may be older than what the caller knows; a `state_seq` never goes back.
        """
        end = time.monotonic() + seconds
        while (self.seq is None or 0 <= self.seq <= seq) and not self.over:
            if not await self.news(end - time.monotonic()):
                return False
        return True

    def take_lines(self) -> list[Line]:
        """Give the lines that came, and forget them."""
        taken, self.lines = self.lines, []
        return taken

    def tell(self, seq: int | None, lines: list[Line], resume: int) -> None:
        """Take in what a look found."""
        if seq is not None and seq != self.seq:
            self.seq = seq
            self._heard.set()
        if lines or (self.resume is None and self.wanted is not None):
            self.lines += lines
            self._heard.set()
        self.resume = resume
        if len(self.lines) > _MOST_BEHIND:
            self.end()

    def end(self) -> None:
        """Let the waiting be over."""
        self.over = True
        self._heard.set()


class Tail:
    """The end of the journal: which lines are new, however late they became visible. Used by one thread at a time."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}
        self._floor: int | None = None

    def unseen(self) -> list[tuple[int, int | None, int | None]]:
        """Give number, device and request of each line that was not there before; the first time none. One query."""
        first = self._floor is None
        if self._floor is None:
            self._floor = _settled()
        after = Journal.objects.filter(pk__gt=self._floor).order_by("pk")
        rows = [row for row in after.values_list("pk", "device_id", "request_id") if row[0] not in self._seen]
        now = time.monotonic()
        self._seen.update((row[0], now) for row in rows)
        self._forget(now - LOOK_BACK)
        return [] if first else rows

    def resume_after(self) -> int:
        """Give the number up to which no line can come any more, as far as is known: the next one is not there yet."""
        number = self._floor or 0
        for seen in sorted(self._seen):
            if seen != number + 1:
                break
            number = seen
        return number

    def _forget(self, before: float) -> None:
        """Raise the floor to the largest number that was seen long ago."""
        old = [number for number, when in self._seen.items() if when < before]
        self._floor = max(old, default=self._floor)
        self._seen = {number: when for number, when in self._seen.items() if number > (self._floor or 0)}


def _settled() -> int:
    """Give the number of the newest line that is so old that none before it can still come."""
    old = Journal.objects.filter(time__lte=clock.now() - timedelta(seconds=LOOK_BACK))
    newest = old.order_by("-time", "-pk").values_list("pk", flat=True).first()
    if newest is not None:
        return newest
    oldest: int | None = Journal.objects.aggregate(oldest=Min("pk"))["oldest"]
    return 0 if oldest is None else oldest - 1


class Watcher:
    """Looks for all who wait in one event loop, as long as anybody does."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._task: asyncio.Task[None] | None = None
        self._tail: Tail | None = None
        self._hurry = asyncio.Event()

    def __len__(self) -> int:
        return len(self._watches)

    @contextmanager
    def watch(self, number: int | None = None, wanted: Wanted | None = None) -> Iterator[Watch]:
        """Watch a request, the journal, or both, until the block ends."""
        watch = Watch(number, wanted)
        self._watches.add(watch)
        if stopping():
            watch.end()
        if wanted is not None:
            # A stream begins with the first look.
            self._hurry.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    async def _run(self) -> None:
        stop = asyncio.ensure_future(asked_to_stop())
        try:
            while self._watches and not stopping():
                try:
                    await self._look()
                except UNAVAILABLE as error:
                    logger.warning("the database is away; who waits goes on waiting: %s", error)
                hurry = asyncio.ensure_future(self._hurry.wait())
                await asyncio.wait((stop, hurry), timeout=PAUSE, return_when=asyncio.FIRST_COMPLETED)
                hurry.cancel()
        finally:
            stop.cancel()
            self._tail = None
        for watch in tuple(self._watches):
            watch.end()

    async def _look(self) -> None:
        self._hurry.clear()
        watches = tuple(self._watches)
        numbers = {watch.number for watch in watches if watch.number is not None}
        wanted = {watch.wanted for watch in watches if watch.wanted is not None}
        if not wanted:
            self._tail = None
        elif self._tail is None:
            self._tail = Tail()
        found = await in_thread(lambda: _read(numbers, wanted, self._tail))
        for watch in watches:
            seq = None if watch.number is None else found.seqs.get(watch.number, -1)
            mine = watch.wanted
            lines = (
                []
                if mine is None
                else [line for line in found.lines if mine.takes(line["device_id"], line["request_id"])]
            )
            watch.tell(seq, lines, found.resume)


@dataclass(frozen=True)
class _Found:
    seqs: Mapping[int, int]
    lines: list[Line]
    resume: int


def _read(numbers: set[int], wanted: Iterable[Wanted], tail: Tail | None) -> _Found:
    """Look once: at most three queries, however many wait."""
    requests = Request.objects.filter(pk__in=numbers)
    seqs = dict(requests.values_list("pk", "state_seq")) if numbers else {}
    if tail is None:
        return _Found(seqs, [], 0)
    new = [pk for pk, device, request in tail.unseen() if any(one.takes(device, request) for one in wanted)]
    lines = list(Journal.objects.filter(pk__in=new).order_by("pk").values(*LINE)) if new else []
    return _Found(seqs, lines, tail.resume_after())


watcher = OnePerLoop(Watcher)
