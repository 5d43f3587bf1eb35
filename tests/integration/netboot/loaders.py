"""Boot loaders as a TFTP server meets them: many at once, over a line that loses."""

import random
import selectors
import socket
import time
from dataclasses import dataclass, field

ACK, ERROR = 4, 5


@dataclass
class Loader:
    """Fetches one file. `lose` is the share of packets that get lost on each way, drawn from `chance`."""

    server: tuple[str, int]
    name: str
    address: str = "127.0.0.1"
    options: dict[str, int] = field(default_factory=dict)
    mode: str = "octet"
    lose: float = 0.0
    # Loaders ask again after some time without an answer; seconds.
    patience: float = 1.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        self.link.bind((self.address, 0))
        self.link.setblocking(False)
        self.content = bytearray()
        self.granted: dict[str, str] = {}
        self.error: tuple[int, str] | None = None
        self.done = False
        self.received = 0
        self.came_twice = 0
        self.peer: tuple[str, int] | None = None
        self._blksize, self._window = 512, 1
        self._last = b""
        self._heard = time.monotonic()

    def ask(self) -> None:
        """Send the request."""
        words = [self.name, self.mode]
        for option, value in self.options.items():
            words += [option, str(value)]
        self._send(b"\0\1" + "\0".join(words).encode() + b"\0", self.server)

    def hear(self) -> None:
        """Take in one packet."""
        packet, peer = self.link.recvfrom(65536)
        if self.lose and self.chance.random() < self.lose:
            return
        if self.peer is None:
            self.peer = peer
            # Connected: the kernel then looks up no route for each packet.
            self.link.connect(peer)
        self._heard = time.monotonic()
        kind = packet[1]
        if kind == 3:
            self._take(packet)
        elif kind == 6:
            words = packet[2:-1].decode().split("\0")
            self.granted = dict(zip(words[::2], words[1::2], strict=True))
            self._blksize = int(self.granted.get("blksize", 512))
            self._window = int(self.granted.get("windowsize", 1))
            self._acknowledge(0)
        elif kind == ERROR:
            self.error = (int.from_bytes(packet[2:4], "big"), packet[4:-1].decode())
            self.done = True

    def wait_no_longer(self) -> None:
        """Send the last packet again after too long a silence, as loaders do."""
        if time.monotonic() - self._heard > self.patience:
            self._heard = time.monotonic()
            self._send(self._last, self.peer or self.server)

    def _take(self, packet: bytes) -> None:
        block = (packet[2] << 8) | packet[3]
        if block != (self.received + 1) & 0xFFFF:
            self.came_twice += 1
            # RFC 1350: a block that comes twice is acknowledged twice; RFC 7440: a gap tells the last good one.
            self._acknowledge(self.received if self._window > 1 else block)
            return
        self.received += 1
        self.content += packet[4:]
        self.done = len(packet) - 4 < self._blksize
        if self.done or self.received % self._window == 0:
            self._acknowledge(self.received)

    def _acknowledge(self, block: int) -> None:
        self._send(b"\0\4" + (block & 0xFFFF).to_bytes(2, "big"), self.peer or self.server)

    def _send(self, packet: bytes, to: tuple[str, int]) -> None:
        self._last = packet
        if self.lose and self.chance.random() < self.lose:
            return
        if self.peer is None:
            self.link.sendto(packet, to)
        else:
            self.link.send(packet)


def fetch(loaders: list[Loader], seconds: float = 30) -> None:
    """Let all loaders fetch at once; TimeoutError, naming how many are not done, after so many seconds."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for loader in loaders:
            selector.register(loader.link, selectors.EVENT_READ, loader)
            loader.ask()
        left = len(loaders)
        looked = time.monotonic()
        while left:
            for key, _ in selector.select(0.1):
                key.data.hear()
                if key.data.done:
                    left -= 1
                    selector.unregister(key.fileobj)
            now = time.monotonic()
            if now > deadline:
                raise TimeoutError(f"{left} of {len(loaders)} loaders are not done after {seconds} s")
            if now - looked > 0.1:
                looked = now
                for key in selector.get_map().values():
                    key.data.wait_no_longer()
    for loader in loaders:
        loader.link.close()


def fetch_one(loader: Loader, seconds: float = 10) -> Loader:
    """Let one loader fetch."""
    fetch([loader], seconds)
    return loader
