"""Boards as a TFTP server meets them in racks: each boot loader's habits, over a line that loses, doubles and delays.

What the loaders send was read in the sources of older U-Boots, U-Boot's lwIP client and iPXE. Of EDK II, Intel's PXE
ROM, PXELINUX and GRUB only parts were seen: what they do here is likely, not proved.
"""

import heapq
import itertools
import random
import selectors
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

_DATA, _ERROR, _OACK = 3, 5, 6
_NOT_FOUND = 1
# Seconds without an answer until the last packet is sent again, a tenth of U-Boot's; and how often, for the server's
# own pauses are not shortened.
PATIENCE, TRIES = 0.5, 30
# Longer than the line delays anything, so that a port's next request is not overtaken by its last.
_BETWEEN = 0.3
_LONGEST_DELAY = 0.1
_LOSE, _DOUBLE, _DELAY = 0.02, 0.03, 0.03


@dataclass(frozen=True)
class Habit:
    """How a boot loader asks: with which options, and whether all its requests come from one port.

    `strict`: it answers what comes from another port than its transfer's with an error (RFC 1350), else not at all.
    `sizes_first`: it first asks for the size alone, and breaks off with this error.
    """

    name: str
    options: tuple[tuple[str, str], ...]
    one_port: bool = False
    strict: bool = False
    sizes_first: int | None = None


HABITS = (
    Habit("U-Boot", (("timeout", "1"), ("tsize", "0"), ("blksize", "1468"))),
    Habit("U-Boot, tftpsrcp", (("timeout", "1"), ("blksize", "1468"), ("windowsize", "8")), one_port=True),
    Habit("lwIP", (), one_port=True),
    Habit("lwIP in U-Boot", (("blksize", "1468"),), one_port=True),
    Habit("iPXE", (("blksize", "1432"), ("tsize", "0"), ("multicast", ""))),
    Habit("PXE ROM", (("blksize", "1456"),), one_port=True, strict=True, sizes_first=0),
    Habit("EDK II", (("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")), strict=True, sizes_first=8),
    Habit("PXELINUX", (("tsize", "0"), ("blksize", "1408")), strict=True),
    Habit("GRUB", (("blksize", "1024"), ("tsize", "0")), strict=True),
    Habit("twice", (("BLKSIZE", "600"), ("blksize", "600"), ("WindowSize", "3"), ("x", "y")), one_port=True),
)


class Line:
    """The network between the boards and the server: what is sent may be lost, doubled, or late."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._late: list[tuple[float, int, socket.socket, bytes, tuple[str, int]]] = []
        self._numbers = itertools.count()

    def send(self, link: socket.socket, packet: bytes, to: tuple[str, int]) -> None:
        """Send a packet, perhaps."""
        if self.chance.random() < _LOSE:
            return
        if self.chance.random() < _DELAY:
            self._later(link, packet, to)
            return
        _sent(link, packet, to)
        if self.chance.random() < _DOUBLE:
            self._later(link, packet, to)

    def _later(self, link: socket.socket, packet: bytes, to: tuple[str, int]) -> None:
        when = time.monotonic() + self.chance.uniform(0, _LONGEST_DELAY)
        heapq.heappush(self._late, (when, next(self._numbers), link, packet, to))

    def deliver(self) -> None:
        """Send what is late enough; what a busy machine has made later than any line would is lost."""
        while self._late and self._late[0][0] <= (now := time.monotonic()):
            when, _, link, packet, to = heapq.heappop(self._late)
            if now - when < _LONGEST_DELAY:
                _sent(link, packet, to)


def _sent(link: socket.socket, packet: bytes, to: tuple[str, int]) -> None:
    # A refused port's answer is heard when something is sent next; a closed socket was another fetch's.
    if link.fileno() >= 0:
        try:
            link.sendto(packet, to)
        except OSError:
            return


class Board:
    """Fetches files one after the other, as its loader does; it is reset now and then, and begins again.

    `files` holds what each name should give, None for what is not there. What goes wrong is in `faults`.
    """

    def __init__(
        self,
        server: tuple[str, int],
        address: str,
        habit: Habit,
        line: Line,
        files: Mapping[str, bytes | None],
    ) -> None:
        self.habit = habit
        self.faults: list[str] = []
        self.link = self._bound(address)
        self._server = server
        self._address = address
        self._line = line
        self._files = files
        self._left = line.chance.choices(sorted(files), k=line.chance.randint(1, 4))
        self._resets = line.chance.choice((0, 0, 1, 2))
        self._left_behind: tuple[str, int] | None = None
        self._begin_at = time.monotonic() + line.chance.uniform(0, 0.3)
        self.peer: tuple[str, int] | None = None
        self._asking = False
        self._only_size = habit.sizes_first is not None
        self._last = b""
        self._tries = 0
        self._heard = 0.0
        self._received, self._content = 0, bytearray()
        self._block, self._window = 512, 1
        self._reset_at: int | None = None
        self.moved_from: socket.socket | None = None

    @property
    def done(self) -> bool:
        """Whether it has all, or has given up."""
        return not self._left or bool(self.faults)

    def _bound(self, address: str) -> socket.socket:
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        link.setblocking(False)
        link.bind((address, 0))
        return link

    def look(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if not self._asking and now >= self._begin_at:
            self._ask()
        elif self._asking and now - self._heard > PATIENCE:
            self._tries += 1
            self._heard = now
            if self._tries > TRIES:
                whom = "asked" if self.peer is None else f"begun with port {self.peer[1]}"
                self._fault(f"no answer after block {self._received}, {whom}, at {time.time() % 1000:.3f}")
            self._say(self._last)

    def hear(self) -> None:
        """Take in what has come."""
        while True:
            try:
                packet, peer = self.link.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                # A port of the server is closed: loaders know no ICMP.
                continue
            for _ in range(1 + (self._line.chance.random() < _DOUBLE)):
                if self._asking and self._line.chance.random() >= _LOSE:
                    self._take(packet, peer)

    def _ask(self) -> None:
        self._asking, self.peer, self._received, self._content = True, None, 0, bytearray()
        self._block, self._window = 512, 1
        # Where it is switched off, and asks again as if it had never heard anything.
        self._reset_at = self._line.chance.randint(0, 30) if self._resets else None
        options = (("tsize", "0"),) if self._only_size else self.habit.options
        words = [self._left[0], "octet", *itertools.chain.from_iterable(options)]
        self._tries, self._heard = 0, time.monotonic()
        self._say(b"\0\1" + "\0".join(words).encode() + b"\0")

    def _say(self, packet: bytes) -> None:
        self._last = packet
        self._line.send(self.link, packet, self.peer or self._server)

    def _take(self, packet: bytes, peer: tuple[str, int]) -> None:
        kind, number = packet[1], int.from_bytes(packet[2:4], "big")
        if peer == self._left_behind or self.peer not in (None, peer):
            if self.habit.strict and kind != _ERROR:
                self._line.send(self.link, b"\0\5\0\5Unknown transfer ID\0", peer)
        elif kind == _ERROR and number == _NOT_FOUND and self._files[self._left[0]] is None:
            self._next()
        elif kind == _ERROR:
            self._fault(f"error {number} {packet[4:-1]!r}")
        elif kind == _OACK and not self._received:
            self.peer = peer
            self._granted(packet, peer)
        elif kind == _DATA and (self.peer is not None or number == 1):
            self.peer = peer
            self._data(number, packet[4:])

    def _granted(self, packet: bytes, peer: tuple[str, int]) -> None:
        words = packet[2:-1].decode().lower().split("\0")
        granted = dict(zip(words[::2], words[1::2], strict=True))
        size = len(self._files[self._left[0]] or b"")
        if granted.get("tsize", str(size)) != str(size):
            self._fault(f"tsize {granted['tsize']} of {size} bytes")
        self._block, self._window = int(granted.get("blksize", 512)), int(granted.get("windowsize", 1))
        self._progressed()
        if self._only_size:
            self._line.send(
                self.link, b"\0\5\0%cbroken off\0" % (self.habit.sizes_first or 0), self.peer or self._server
            )
            self._only_size = False
            self._end()
        else:
            self._say(b"\0\4\0\0")

    def _data(self, number: int, content: bytes) -> None:
        if number != (self._received + 1) & 0xFFFF:
            # A block that comes twice is acknowledged twice (RFC 1350); a gap tells the last good one (RFC 7440).
            self._say(_acknowledgement(self._received))
            return
        self._received += 1
        self._content += content
        self._progressed()
        if len(content) < self._block:
            self._say(_acknowledgement(self._received))
            self._check()
        elif self._received == self._reset_at:
            self._resets -= 1
            # It has forgotten whom it heard: where nothing was acknowledged yet, the same transfer answers it again.
            self.peer = None
            self._end()
        elif not self._received % self._window:
            self._say(_acknowledgement(self._received))

    def _check(self) -> None:
        wanted = self._files[self._left[0]]
        if bytes(self._content) != wanted:
            self._fault(f"other bytes: {len(self._content)} of {wanted and len(wanted)}")
        self._next()

    def _next(self) -> None:
        self._left.pop(0)
        self._only_size = self.habit.sizes_first is not None
        self._end()

    def _progressed(self) -> None:
        self._tries, self._heard = 0, time.monotonic()

    def _end(self) -> None:
        """Ask anew in a moment: for the next file, or after a reset for the same one."""
        self._asking = False
        self._begin_at = time.monotonic() + _BETWEEN + self._line.chance.expovariate(5)
        if self.habit.one_port:
            self._left_behind = self.peer
        else:
            self.moved_from = self.link
            self.link = self._bound(self._address)

    def _fault(self, what: str) -> None:
        if self._left:
            self.faults.append(f"{self.habit.name} at {self._address}, {self._left[0]}: {what}")


def _acknowledgement(block: int) -> bytes:
    return b"\0\4" + (block & 0xFFFF).to_bytes(2, "big")


class Stranger:
    """Sends what is no TFTP, or hardly, to the server's port and to any other."""

    def __init__(self, server: tuple[str, int], chance: random.Random) -> None:
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.setblocking(False)
        self.link.bind(("127.0.9.9", 0))
        self._server = server
        self._chance = chance

    def meddle(self, seen: tuple[str, int] | None) -> None:
        """Send a packet to the server, and one to a port of a transfer."""
        _sent(self.link, self._packet(), self._server)
        if seen is not None:
            _sent(self.link, self._packet(), seen)

    def _packet(self) -> bytes:
        chance = self._chance
        words = [
            b"one",
            b"octet",
            b"blksize",
            b"timeout",
            b"tsize",
            b"255",
            b"-1",
            b"",
            b"\xff" * 9,
            b"../one",
        ]
        opcode = chance.choice([b"\0\1", b"\0\2", b"\0\3", b"\0\4", b"\0\5", b"\0\6", b"\0", b"\1\1"])
        return opcode + chance.choice([b"\0", b"", b"\0\0"]).join(
            chance.choices(words, k=chance.randint(0, 9))
        )


def fetch_all(boards: list[Board], stranger: Stranger, line: Line, seconds: float = 120) -> list[str]:
    """Let all boards fetch what they want; return what went wrong."""
    ends = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for board in boards:
            selector.register(board.link, selectors.EVENT_READ, board)
        while not all(board.done for board in boards):
            if time.monotonic() > ends:
                return [f"{board.habit.name} is not done" for board in boards if not board.done]
            for key, _ in selector.select(0.02):
                key.data.hear()
            for board in boards:
                if not board.done:
                    board.look()
                if board.moved_from is not None:
                    selector.unregister(board.moved_from)
                    board.moved_from.close()
                    board.moved_from = None
                    selector.register(board.link, selectors.EVENT_READ, board)
            line.deliver()
            stranger.meddle(line.chance.choice(boards).peer)
    for board in boards:
        board.link.close()
    stranger.link.close()
    return [fault for board in boards for fault in board.faults]
