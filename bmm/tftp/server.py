"""The loop that serves all boards at once: one socket for requests, one for each transfer, one thread."""

import logging
import os
import selectors
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from bmm.tftp import wire
from bmm.tftp.files import open_below
from bmm.tftp.transfer import End, Peer, Transfer

logger = logging.getLogger(__name__)

# Linux's number of the option by which a request tells which of our addresses it was sent to; Python lacks the name.
_IP_PKTINFO = 8
_LONGEST_REQUEST = 2048
_LONGEST_ANSWER = 512
# Requests read before the transfers have their turn again, so that a flood of them stops nobody.
_REQUESTS_AT_ONCE = 32
# Seconds between two looks for what is overdue; also how soon a signal is noticed.
_LOOK = 0.05
_IDLE_LOOK = 0.5
# Seconds without a word after which a transfer makes room for another when all is full: before its first
# acknowledgement, which takes a board some milliseconds, and later.
_UNANSWERED, _SILENCE = 0.25, 10.0
# Room for as many requests as a whole lab sends when its power comes back.
_REQUEST_BUFFER = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Transfers that may run at once: in all, and to one address (a boot loader needs one, U-Boot's pxe two)."""

    transfers: int = 512
    transfers_of_one: int = 8


class Server:
    """Serves files below `root` on a bound IPv4 UDP socket until `stop` is called."""

    def __init__(self, listening: socket.socket, root: Path, limits: Limits | None = None) -> None:
        self._listening = listening
        self._root = root.resolve(strict=True)
        self._limits = limits or Limits()
        self._transfers: dict[Peer, Transfer] = {}
        # What a port fetched before its latest request; each counts as a transfer.
        self._parked: dict[Peer, Transfer] = {}
        self._of_address: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        self._stopping_until: float | None = None
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ, None)

    def stop(self, grace: float) -> None:
        """Take no more requests; leave when the transfers that run have ended, after `grace` seconds at most."""
        self._stopping_until = time.monotonic() + grace

    def serve(self) -> None:
        """Serve until stopped."""
        looked = time.monotonic()
        while not self._may_leave():
            ready = self._selector.select(_LOOK if self._transfers else _IDLE_LOOK)
            now = time.monotonic()
            for key, _ in ready:
                if key.data is None:
                    self._take_requests(now)
                else:
                    self._take_answer(key.data, now)
            if now - looked >= _LOOK:
                looked = now
                self._look_for_overdue(now)
        for transfer in self._all():
            self._finish(transfer, time.monotonic())
        self._selector.close()
        self._listening.close()

    def _may_leave(self) -> bool:
        if self._stopping_until is None:
            return False
        return not (self._transfers or self._parked) or time.monotonic() >= self._stopping_until

    def _all(self) -> list[Transfer]:
        return [*self._transfers.values(), *self._parked.values()]

    def _take_requests(self, now: float) -> None:
        for _ in range(_REQUESTS_AT_ONCE):
            try:
                packet, ancillary, _flags, peer = self._listening.recvmsg(
                    _LONGEST_REQUEST, socket.CMSG_SPACE(12)
                )
            except BlockingIOError:
                return
            except OSError as error:
                # An earlier answer of ours has come back as undeliverable.
                logger.debug("tftp: %s", error)
                continue
            if self._stopping_until is None:
                self._take_request(packet, _own_address(ancillary), peer, now)

    def _take_request(self, packet: bytes, own: str | None, peer: Peer, now: float) -> None:
        try:
            request = wire.read_request(packet)
        except ValueError:
            return
        except wire.Refused as refused:
            self._refuse(peer, "", refused)
            return
        running = self._transfers.get(peer)
        if running is not None and not self._replace(running, request, now):
            return
        try:
            if self._has_room(peer, now):
                self._begin(request, own, peer, now)
                return
            lacking = "too many transfers"
        except wire.Refused as refused:
            self._refuse(peer, _shown(request), refused)
            return
        except OSError as error:
            lacking = str(error.strerror or error)
        # No answer: the board asks again in a moment, where an error would end its boot.
        logger.warning("tftp: %s asks for %s: %s, it has to ask again", peer[0], _shown(request), lacking)

    def _replace(self, running: Transfer, request: wire.Request, now: float) -> bool:
        """Let a port's new request end what that port fetches; return False when it only asks again."""
        if running.answered:
            # It may be an old request that comes late, or twice: the board then goes on.
            running.park(now)
            self._parked[running.peer] = self._transfers.pop(running.peer)
            return True
        if running.request == request:
            running.asked_again(now)
            if not running.end:
                return False
        running.end = running.end or End.REPLACED
        self._finish(running, now)
        return True

    def _has_room(self, peer: Peer, now: float) -> bool:
        """Whether one more may begin; the one that is unanswered longest, or silent for long, has to go for it."""
        if self._of_address.get(peer[0], 0) >= self._limits.transfers_of_one:
            self._drop(self._parked, peer, now)
        if self._of_address.get(peer[0], 0) >= self._limits.transfers_of_one:
            return False
        if len(self._transfers) + len(self._parked) < self._limits.transfers:
            return True
        last = min(self._all(), key=lambda each: (each.answered, not each.parked, each.heard))
        if not last.parked and now < last.heard + (_SILENCE if last.answered else _UNANSWERED):
            return False
        last.end = End.CROWDED_OUT
        self._finish(last, now)
        return True

    def _begin(self, request: wire.Request, own: str | None, peer: Peer, now: float) -> None:
        """Begin a transfer. Raises Refused, and OSError when this machine has no room for another."""
        file, size = open_below(self._root, request.name)
        try:
            # A loader takes answers only from the address that it has asked.
            link = _link(own or self._listening.getsockname()[0], peer)
        except OSError:
            os.close(file)
            raise
        transfer = Transfer(link, peer, request, file, size, now)
        self._transfers[peer] = transfer
        self._of_address[peer[0]] = self._of_address.get(peer[0], 0) + 1
        self._selector.register(link, selectors.EVENT_READ, transfer)
        if transfer.end:
            self._finish(transfer, now)

    def _take_answer(self, transfer: Transfer, now: float) -> None:
        if transfer.end:
            return
        was_parked = transfer.parked
        try:
            transfer.answer(transfer.link.recv(_LONGEST_ANSWER), now)
        except BlockingIOError:
            return
        except OSError:
            transfer.end = End.GONE
        if transfer.end:
            self._finish(transfer, now)
        elif was_parked and not transfer.parked:
            self._drop(self._transfers, transfer.peer, now)
            self._transfers[transfer.peer] = self._parked.pop(transfer.peer)
        elif transfer.answered and not transfer.parked:
            self._drop(self._parked, transfer.peer, now)

    def _drop(self, among: dict[Peer, Transfer], peer: Peer, now: float) -> None:
        """End the other transfer of a port, now that the board has shown which one it wants."""
        other = among.get(peer)
        if other is not None:
            other.end = End.REPLACED
            self._finish(other, now)

    def _look_for_overdue(self, now: float) -> None:
        for transfer in self._all():
            if transfer.due <= now:
                transfer.overdue(now)
                if transfer.end:
                    self._finish(transfer, now)

    def _finish(self, transfer: Transfer, now: float) -> None:
        address = transfer.peer[0]
        among = self._parked if self._parked.get(transfer.peer) is transfer else self._transfers
        del among[transfer.peer]
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]
        self._selector.unregister(transfer.link)
        transfer.close()
        logger.info(
            "tftp: %s %s: %s; %d bytes, %.2f s, blocks of %d, %d sent again",
            address,
            _shown(transfer.request),
            transfer.end or "stopped with the server",
            transfer.size,
            now - transfer.began,
            transfer.request.blksize,
            transfer.again,
        )

    def _refuse(self, peer: Peer, name: str, refused: wire.Refused) -> None:
        logger.info("tftp: %s %s: refused, %s", peer[0], name, refused.text)
        try:
            self._listening.sendto(wire.error(refused.code, refused.text), peer)
        except OSError as error:
            logger.debug("tftp: %s", error)


def listen(address: str, port: int) -> socket.socket:
    """Give a socket bound to an IPv4 address. Raises OSError."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _REQUEST_BUFFER)
        listening.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        listening.bind((address, port))
    except BaseException:
        listening.close()
        raise
    return listening


def _link(own: str, peer: Peer) -> socket.socket:
    """Return a socket between one of our addresses, at any port, and a board. Raises OSError."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        link.setblocking(False)
        link.bind((own, 0))
        link.connect(peer)
    except OSError:
        link.close()
        raise
    return link


def _own_address(ancillary: list[tuple[int, int, bytes]]) -> str | None:
    """Give the address that a request was sent to; None where it was a broadcast, or the kernel does not tell."""
    for level, kind, content in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            # struct in_pktinfo: interface, our address on it, the packet's destination.
            _interface, local, _destination = struct.unpack("=I4s4s", content[:12])
            return socket.inet_ntoa(local)
    return None


def _shown(request: wire.Request) -> str:
    """Give a file name for the log; whatever a stranger sent, it stays on its line."""
    return ascii(request.name[:120])[1:-1]
