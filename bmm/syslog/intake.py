"""What becomes of a message as it comes: whose is it, what does it say, is it alarming, is it too much."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from bmm.syslog.cap import Cap
from bmm.syslog.lines import Alarm, Line, Waiting
from bmm.syslog.messages import read, relayed_for
from bmm.syslog.patterns import Watchdog
from bmm.syslog.senders import Senders, canonical

# Addresses of strangers that are remembered until they are told of.
_STRANGERS_TOLD = 5
# What a relay calls an address may be anything.
_LONGEST_ADDRESS = 64


@dataclass
class Strangers:
    """Lines from senders that are no device of ours, since the last time that somebody was told."""

    lines: int = 0
    some: Counter[str] = field(default_factory=Counter)


class Intake:
    """Takes messages from the listener's thread. `watchdog` may be replaced at any time, by any thread.

    A message from one of the `relays` is the device's whose address it gives as its host, in RFC 5424's form.
    """

    def __init__(
        self,
        senders: Senders,
        watchdog: Watchdog,
        cap: Cap,
        waiting: Waiting,
        relays: frozenset[str] = frozenset(),
    ) -> None:
        self._relays = relays
        self.senders = senders
        self.watchdog = watchdog
        self.cap = cap
        self.waiting = waiting
        self._strangers = Strangers()
        self._lock = threading.Lock()

    def take(self, address: str, message: bytes) -> None:
        """Deal with one message; never raises, whatever it holds."""
        if self._relays and canonical(address) in self._relays:
            address = relayed_for(message) or address
        device_id = self.senders.device_at(address)
        if device_id is None:
            self.refuse(address[:_LONGEST_ADDRESS])
            return
        text = read(message)
        if not text:
            return
        now = time.monotonic()
        line = Line(device_id, now, text)
        # Before the cap: a kernel's last words come at the end of a flood.
        hits = self.watchdog.hits(device_id, text, now)
        for pattern in hits:
            self.waiting.put_alarm(Alarm(line, pattern.name, pattern.serious))
        if not hits and self.cap.admits(device_id, now):
            self.waiting.put(line)

    def knows(self, address: str) -> bool:
        """Whether a device or a relay calls from there."""
        return self.senders.device_at(address) is not None or canonical(address) in self._relays

    def refuse(self, address: str) -> None:
        """Count a line of a stranger."""
        with self._lock:
            self._strangers.lines += 1
            if address in self._strangers.some or len(self._strangers.some) < _STRANGERS_TOLD:
                self._strangers.some[address] += 1

    def take_strangers(self) -> Strangers:
        """Give what strangers sent since the last time."""
        with self._lock:
            found, self._strangers = self._strangers, Strangers()
            return found
