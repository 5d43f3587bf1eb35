"""Waits for a request: shows its states and those of its device, and pushes both where no pulse and no worker does."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from devices.models import Device, Journal
from lifeguard.attend import Attendant
from lifeguard.management.follow import States, warn_of_others, watch
from mozpool_site import clock
from mozpool_site.live import Progress
from requests_app.models import PoolLease, Request
from requests_app.pulse import Expiry, Matching, RequestTimers
from requests_app.waiting.why import COLUMNS, explain

# A pulse deals with a request that is due within a second or so.
_PATIENCE = timedelta(seconds=3)


@dataclass
class RequestWatch:
    """Follows one request and whichever device it holds."""

    request_id: int
    since: datetime
    progress: Progress
    _last: int = 0
    _warned: set[int] = field(default_factory=set)
    _matched: float = 0.0

    def __post_init__(self) -> None:
        self._loops = [loop(only=self.request_id, patience=_PATIENCE) for loop in (Expiry, RequestTimers)]

    def wait(self, *, seconds: float, here: bool) -> Request:
        """Wait until the request is ready or has ended, for `seconds` at most; give it as it is then."""
        states = States(self.since)
        with Attendant(here=here) as attendant, self.progress:
            watch(lambda: self._look(attendant, states), self.progress, seconds=seconds)
        return Request.objects.select_related("image").get(pk=self.request_id)

    def _look(self, attendant: Attendant, states: States) -> bool:
        self._push()
        held = dict(Device.objects.filter(held_by=self.request_id).values_list("pk", "name"))
        attendant.look(list(held))
        self._warn(attendant, list(held))
        request = Request.objects.get(pk=self.request_id)
        self._show(states, held)
        return request.state == "ready" or request.ended is not None

    def _push(self) -> None:
        """Let the pool's loops look, at this request, where no pulse has."""
        now = clock.now()
        for loop in self._loops:
            loop.look(now)
        waits = Request.objects.filter(pk=self.request_id, state="finding_device").exists()
        if waits and time.monotonic() - self._matched >= _PATIENCE.total_seconds():
            self._matched = time.monotonic()
            if not PoolLease.objects.filter(name="pool", until__gt=now).exists():
                # All that wait, in their turn: nobody gets ahead because somebody watches.
                Matching().look(now)

    def _warn(self, attendant: Attendant, held: list[int]) -> None:
        new = [pk for pk in held if pk not in self._warned]
        if new:
            self._warned.update(new)
            warn_of_others(attendant, new, self.progress)

    def _show(self, states: States, held: dict[int, str]) -> None:
        name = f"request {self.request_id}"
        lines = [(seconds, name, state) for state, seconds in self._request_states()]
        lines += [(seconds, held[pk], state) for pk, state, seconds in states.entered(held)]
        # By the second only: what happened in one step keeps its order.
        for seconds, who, state in sorted(lines, key=lambda line: line[0]):
            place = self._place() if who == name and state == "finding_device" else ""
            self.progress.entered(who, f"{state}{place}", seconds)

    def _request_states(self) -> Iterator[tuple[str, float]]:
        # A device's lines carry the request that holds it, too. A request's own lines are written under its lock, so
        # their numbers are in order.
        lines = Journal.objects.filter(request_id=self.request_id, device_id=None, pk__gt=self._last)
        entered = lines.filter(Q(event="filed") | ~Q(to_state="")).order_by("pk")
        for pk, state, when in entered.values_list("pk", "to_state", "time"):
            self._last = pk
            yield state or "finding_device", max(0.0, (when - self.since).total_seconds())

    def _place(self) -> str:
        """Say how many of its rivals are served before a request that waits; nothing of one that does not."""
        row = Request.objects.filter(pk=self.request_id, state="finding_device").values(*COLUMNS).first()
        if row is None:
            return ""
        return f", place {explain([row], {}, clock.now())[self.request_id].place} in the queue"
