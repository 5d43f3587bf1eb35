"""Cuts a TCP stream into syslog messages (RFC 6587): those that tell their length, and those that end with a line.

Both kinds may come in one stream, and what is wrong costs no more than itself: a board that pipes its console to us
writes what it likes, and a count that is too large would swallow the panic behind it.
"""

import re

# A message is kept up to here; what is behind is read and dropped. A journal line is 500 characters.
LONGEST_FRAME = 8192
# A count is one only before a priority, and within reason; else it is text that begins with a number.
_COUNT = rb"[1-9]\d{0,5} (?=<\d{1,3}>)"
_COUNTED = re.compile(_COUNT)
_ENDS = b"\r\n\0"
_BETWEEN = re.compile(rb"[\r\n\0]*")
_LINE_END = re.compile(rb"[\n\0]")
# Where counts are used the next one may follow a line without an end: what is left when a count was too small.
_LINE_END_OR_COUNT = re.compile(rb"[\n\0]|(?<!\d)(?=%s)" % _COUNT)
# What shows within a counted message that the count is wrong: another message begins.
_BREAK = re.compile(rb"[\n\0](?=(?:[1-9]\d{0,5} )?<\d{1,3}>)|(?<!\d)(?=%s)" % _COUNT)
# The last bytes may be the beginning of what we look for; it is no longer than this.
_MAYBE_COUNT = rb"[1-9]\d{0,5}(?: (?:<\d{0,3})?)?\Z"
_MAYBE_COUNTED = re.compile(_MAYBE_COUNT)
_MAYBE_COUNT_WITHIN = re.compile(rb"(?<!\d)" + _MAYBE_COUNT)
_MAYBE_BREAK = re.compile(rb"[\n\0](?:%s|<\d{0,3}\Z|\Z)|(?<!\d)%s" % (_MAYBE_COUNT, _MAYBE_COUNT))
_LONGEST_MAYBE = 16


class Frames:
    """The state of one stream; it keeps LONGEST_FRAME bytes at most, besides what it is being fed."""

    def __init__(self) -> None:
        self._begun = bytearray()
        # Between two messages, within one that ends with a line, or within one that lacks so many bytes.
        self._within = False
        self._lacking: int | None = None
        # What is not understood yet, and the byte before it.
        self._held = b""
        self._before = b""
        self._counts = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take in what came, and return the messages that it completes, without empty ones."""
        found: list[bytes] = []
        place = len(self._before)
        data = self._before + self._held + data
        while place < len(data):
            reached = self._go_on(data, place, found) if self._within else self._begin(data, place)
            if reached is None:
                break
            place = reached
        self._before, self._held = data[:place][-1:], data[place:]
        return found

    def rest(self) -> bytes:
        """Return what came without an end, when the sender has gone."""
        left = self._message(self._held)
        self._held = self._before = b""
        return left

    def _begin(self, data: bytes, place: int) -> int | None:
        """Find out which kind of message begins, and return where; None when more bytes are needed for that."""
        if end := _BETWEEN.match(data, place):
            place = end.end()
        if place == len(data):
            return place
        if count := _COUNTED.match(data, place):
            self._within, self._counts = True, True
            self._lacking = int(count[0])
            return count.end()
        if _MAYBE_COUNTED.match(data, place):
            return None
        self._within, self._lacking = True, None
        return place

    def _go_on(self, data: bytes, place: int, found: list[bytes]) -> int | None:
        """Take what belongs to the message, and return where the next one begins; None when more bytes are needed."""
        counted = self._lacking is not None
        whole = place + self._lacking if self._lacking is not None else len(data) + 1
        pattern = _BREAK if counted else _LINE_END_OR_COUNT if self._counts else _LINE_END
        if ended := pattern.search(data, place, whole):
            found += filter(None, [self._message(data[place : ended.start()])])
            return ended.end()
        if whole <= len(data):
            found += filter(None, [self._message(data[place:whole])])
            return whole
        upto = len(data)
        if self._counts and (maybe := self._maybe(data, place)) is not None:
            upto = maybe
        self._keep(data[place:upto])
        if self._lacking is not None:
            self._lacking -= upto - place
        return upto if upto > place else None

    def _maybe(self, data: bytes, place: int) -> int | None:
        """Return where at the end of the data something may begin that we look for."""
        pattern = _MAYBE_COUNT_WITHIN if self._lacking is None else _MAYBE_BREAK
        found = pattern.search(data, max(place, len(data) - _LONGEST_MAYBE))
        return found.start() if found else None

    def _keep(self, data: bytes) -> None:
        self._begun += data[: LONGEST_FRAME - len(self._begun)]

    def _message(self, last: bytes) -> bytes:
        """Return the message that ends with these bytes, empty when it says nothing; the next one begins."""
        self._keep(last)
        # Some end with a NUL or a CR as well.
        message = bytes(self._begun).strip(_ENDS)
        self._begun.clear()
        self._within, self._lacking = False, None
        return message
