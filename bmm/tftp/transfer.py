"""One file on its way to one board: what is sent, what is acknowledged, what is sent again and when.

A block is sent again only when time is up, never because an acknowledgement comes twice: each doubled packet would
double all that follow (the Sorcerer's Apprentice, RFC 1123 4.2.3.1).
"""

import os
import socket
from enum import StrEnum

from bmm.tftp import wire
from bmm.tftp.files import EXHAUSTED

# Seconds: the first wait for an acknowledgement, doubled each time up to the last, where the board chose none.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 4.0
# A board that never answers may be a forged address: it is sent little. One that was loading has perhaps reset.
_TRIES_BEFORE_FIRST_ANSWER, _TRIES = 3, 7
# Seconds for the first acknowledgement, whatever timeout was asked for: what asks and is silent takes others' room.
FIRST_ANSWER_SECONDS = 5.0
# Seconds that a transfer is kept which a new request has perhaps ended; a loader repeats its last word within them.
_PARKED_SECONDS = 10.0
_READ_AHEAD = 64 * 1024
_HEADER = 4

Peer = tuple[str, int]


class End(StrEnum):
    """How a transfer ended."""

    SENT = "sent"
    STOPPED = "stopped by the board"
    SILENT = "given up: no answer"
    GONE = "the board is gone"
    CHANGED = "the file has changed"
    REPLACED = "the board asks anew"
    CROWDED_OUT = "given up for another board"


class Transfer:
    """Sends one file over a connected, non-blocking socket; owns and closes both. Times are monotonic seconds."""

    def __init__(
        self, link: socket.socket, peer: Peer, request: wire.Request, file: int, size: int, now: float
    ) -> None:
        self.link = link
        self.peer = peer
        self.request = request
        self.size = size
        self.began = now
        self.again = 0
        """Packets sent more than once."""
        self.end: End | None = None
        self.due = now
        """When to call `overdue`."""
        self.heard = now
        """When the board last said something that we could use."""
        self.answered = False
        """Whether the board has acknowledged anything."""
        self.parked = False
        """Whether it waits, silent, for the board to show that it goes on with this transfer."""
        self._file = file
        self._blksize = request.blksize
        self._window = request.windowsize
        # A file that fills its last block is followed by an empty one.
        self._blocks = size // request.blksize + 1
        self._acknowledged = -1 if request.options else 0
        self._sent = self._acknowledged
        self._waited = 0
        self._nudged = False
        self._read_from = 0
        self._read = b""
        self._send_window(now)

    def answer(self, packet: bytes, now: float) -> None:
        """Take in what the board has sent."""
        if len(packet) < _HEADER or packet[0] != 0:
            return
        if packet[1] == wire.ERROR:
            self.end = End.STOPPED
        elif packet[1] == wire.ACK:
            self._acknowledge((packet[2] << 8) | packet[3], now)

    def overdue(self, now: float) -> None:
        """Send again what was not acknowledged in time, or give up."""
        self._waited += 1
        if self.parked:
            self.end = End.REPLACED
        elif self._waited > (_TRIES if self.answered else _TRIES_BEFORE_FIRST_ANSWER) or (
            not self.answered and now >= self.heard + FIRST_ANSWER_SECONDS
        ):
            self.end = End.SILENT
        else:
            self._send_again(now)

    def asked_again(self, now: float) -> None:
        """Answer a request that came twice: the board has not heard of us yet, but is there."""
        self.heard = now
        self._send_again(now)

    def park(self, now: float) -> None:
        """Send nothing more unless the board acknowledges something: its port has made another request.

        A board that has begun anew would take our packets for answers. One whose old request came late, or twice,
        goes on as if nothing had happened.
        """
        self.parked = True
        self.due = now + _PARKED_SECONDS

    def close(self) -> None:
        """Give back the socket and the file."""
        self.link.close()
        os.close(self._file)

    def _acknowledge(self, block: int, now: float) -> None:
        ahead = (block - self._acknowledged) & 0xFFFF
        if ahead > self._sent - self._acknowledged:
            return
        resumed, self.parked = self.parked, False
        if ahead:
            self._acknowledged += ahead
            self._waited, self.answered, self._nudged = 0, True, False
            self.heard = now
            if self._acknowledged == self._blocks:
                self.end = End.SENT
            else:
                # Within a window this takes up where the board lost a block.
                self._send_window(now)
        elif resumed or (self._window > 1 and self.answered and not self._nudged):
            # RFC 7440: the board has lost the first block of a window. Once, or doubles would breed.
            self._nudged = True
            self._send_again(now)

    def _send_again(self, now: float) -> None:
        self.again += self._sent - self._acknowledged
        self._send_window(now)

    def _send_window(self, now: float) -> None:
        wait = self.request.timeout or min(_FIRST_WAIT * 2**self._waited, _LONGEST_WAIT)
        self.due = now + wait
        if not self.answered:
            self.due = min(self.due, self.heard + FIRST_ANSWER_SECONDS)
        self._sent = self._acknowledged
        try:
            if self._acknowledged < 0:
                self._sent = 0
                self.link.send(wire.grant(self.request, self.size))
                return
            for block in range(
                self._acknowledged + 1, min(self._acknowledged + self._window, self._blocks) + 1
            ):
                self._sent = block
                self.link.send(wire.data(block, self._content(block)))
        except BlockingIOError:
            # No room on the way out: what is missing is sent again in its time.
            pass
        except EOFError:
            self.end = End.CHANGED
            self._tell("the file has changed while it was sent")
        except OSError as error:
            # Nobody listens there any more: the power was cut, or the loader only wanted the size.
            if error.errno not in EXHAUSTED:
                self.end = End.GONE

    def _content(self, block: int) -> bytes:
        """Give a block's bytes, from what was read ahead. Raises EOFError when the file has become shorter."""
        begin = (block - 1) * self._blksize
        length = min(self._blksize, self.size - begin)
        if not self._read_from <= begin <= begin + length <= self._read_from + len(self._read):
            self._read_from = begin
            self._read = os.pread(self._file, max(length, _READ_AHEAD), begin)
        at = begin - self._read_from
        content = self._read[at : at + length]
        if len(content) < length:
            raise EOFError
        return content

    def _tell(self, text: str) -> None:
        try:
            self.link.send(wire.error(wire.UNDEFINED, text))
        except OSError:
            return
