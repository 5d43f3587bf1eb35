"""Cuts a TCP stream into syslog messages (RFC 6587): those that tell their length, and those that end with a line."""

import re

# A message is kept up to here; what is behind is read and dropped. A journal line is 500 characters.
LONGEST_FRAME = 8192
# What claims to be longer is no count but text that begins with a number.
_MOST_DIGITS = 6
_COUNT = re.compile(rb"([1-9]\d{0,%d}) " % (_MOST_DIGITS - 1))
_MAYBE_COUNT = re.compile(rb"[1-9]\d{0,%d}\Z" % (_MOST_DIGITS - 1))


class Frames:
    """The state of one stream; it keeps LONGEST_FRAME bytes at most, besides what it is being fed."""

    def __init__(self) -> None:
        self._begun = bytearray()
        # Bytes that the message being read still lacks; None while its kind is not known; -1: until the line's end.
        self._lacking: int | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take in what came, and give the messages that it completes, without empty ones."""
        found: list[bytes] = []
        if self._lacking is None and self._begun:
            data = bytes(self._begun) + data
            self._begun.clear()
        place = 0
        while place < len(data):
            if self._lacking is None:
                place, known = self._begin(data, place)
                if not known:
                    break
            place = self._go_on(data, place, found)
        return found

    def rest(self) -> bytes:
        """Give what came without an end, when the sender has gone."""
        left = bytes(self._begun)
        self._begun.clear()
        self._lacking = None
        return left

    def _begin(self, data: bytes, place: int) -> tuple[int, bool]:
        """Find out which kind of message begins; False when more bytes are needed for that."""
        count = _COUNT.match(data, place)
        if count:
            self._lacking = int(count[1])
            return count.end(), True
        if _MAYBE_COUNT.match(data, place):
            self._begun += data[place:]
            return len(data), False
        self._lacking = -1
        return place, True

    def _go_on(self, data: bytes, place: int, found: list[bytes]) -> int:
        """Take as much as belongs to the message; give where the next one begins."""
        if self._lacking == -1:
            end = data.find(b"\n", place)
            whole = end >= 0
            taken, following = (data[place:end], end + 1) if whole else (data[place:], len(data))
        else:
            lacking = self._lacking or 0
            taken = data[place : place + lacking]
            following = place + len(taken)
            self._lacking = lacking - len(taken)
            whole = self._lacking == 0
        self._begun += taken[: LONGEST_FRAME - len(self._begun)]
        if whole:
            # Some end with a NUL or a CR as well, or in the place of the line's end.
            message = bytes(self._begun).strip(b"\r\n\0")
            self._begun.clear()
            self._lacking = None
            if message:
                found.append(message)
        return following
