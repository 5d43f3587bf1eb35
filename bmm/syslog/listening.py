"""The sockets: UDP and TCP on the addresses that we are given, in one thread that does nothing slow."""

import contextlib
import logging
import selectors
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from bmm.syslog.framing import Frames
from bmm.syslog.intake import Intake

logger = logging.getLogger(__name__)

# What the kernel keeps while we are busy: seconds of a full rack's lines. It gives no more than net.core.rmem_max.
_UDP_BUFFER = 8 * 2**20
ENOUGH_BUFFER = 1 * 2**20
_LONGEST_DATAGRAM = 8192
# Datagrams that one socket gets read before the next has its turn.
_AT_ONCE = 256
_TCP_READ = 64 * 1024
# A board whose power was cut leaves its connection behind: the oldest makes room.
_MOST_CONNECTIONS = 512
_MOST_OF_ONE_SENDER = 4
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}
# At the end what has come is read, and not for ever what comes meanwhile.
_LAST_READS = 200
# Linux: SO_MEMINFO gives nine counters of a socket; the last one says what was dropped for want of room.
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")


class CannotListen(Exception):
    """An address or a port can't be had; the message says which, why, and what to do."""


@dataclass(eq=False)
class _Connection:
    socket: socket.socket
    sender: str
    frames: Frames = field(default_factory=Frames)


class Listener:
    """Listens from the moment that it is made; `start` begins to read. Raises CannotListen."""

    def __init__(self, addresses: Sequence[str], port: int, intake: Intake) -> None:
        self._intake = intake
        self._selector = selectors.DefaultSelector()
        self._udp: list[socket.socket] = []
        self._tcp: list[socket.socket] = []
        self._connections: dict[socket.socket, _Connection] = {}
        self._senders: dict[str, list[_Connection]] = {}
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._selector.register(self._stop_reader, selectors.EVENT_READ)
        # A daemon: should the main thread break down, the process ends and is started again.
        self._thread = threading.Thread(target=self._run, name="syslog-listener", daemon=True)
        self._stopping = False
        try:
            for address in addresses:
                self._open(address, port)
        except OSError as error:
            self._close()
            raise CannotListen(f"can't listen on {address} port {port}: {_explained(error)}") from error

    def start(self) -> None:
        """Begin to read, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Take in what has come already, then close everything."""
        self._stop_writer.send(b"!")
        self._thread.join()

    @property
    def failed(self) -> bool:
        """Whether the thread has ended although nobody asked it to."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._stopping

    @property
    def udp_buffer(self) -> int:
        """Bytes that the kernel keeps for the UDP socket that has least."""
        # Linux tells the double, of which half is its own bookkeeping.
        return min(each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2 for each in self._udp)

    def udp_dropped(self) -> int:
        """Give how many datagrams found no room in the kernel since the start."""
        try:
            return sum(
                int(_MEMINFO.unpack(each.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[-1])
                for each in self._udp
            )
        except (OSError, struct.error):
            # Not Linux, or closed.
            return 0

    def _open(self, address: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.append(udp)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER)
        tcp = socket.socket(family, socket.SOCK_STREAM)
        self._tcp.append(tcp)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for each in (udp, tcp):
            each.setblocking(False)
            each.bind((address, port))
            self._selector.register(each, selectors.EVENT_READ)
        tcp.listen(128)

    def _run(self) -> None:
        try:
            while not self._stopping:
                for key, _ in self._selector.select():
                    self._serve(key.fileobj)  # type: ignore[arg-type]  # only sockets are registered
            for each in self._udp:
                any(self._read_datagrams(each) < _AT_ONCE for _ in range(_LAST_READS))
            for connection in list(self._connections.values()):
                any(not self._read_stream(connection) for _ in range(_LAST_READS))
        except Exception:
            logger.exception("the listener ends")
        finally:
            self._close()

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._stop_reader:
            self._stopping = True
        elif ready in self._connections:
            self._read_stream(self._connections[ready])
        elif ready in self._tcp:
            self._accept(ready)
        elif ready in self._udp:
            self._read_datagrams(ready)

    def _read_datagrams(self, udp: socket.socket) -> int:
        take = self._intake.take
        for number in range(_AT_ONCE):
            try:
                data, sender = udp.recvfrom(_LONGEST_DATAGRAM)
            except BlockingIOError:
                return number
            except OSError as error:
                logger.warning("UDP: %s", error)
                return number
            take(sender[0], data)
        return _AT_ONCE

    def _accept(self, tcp: socket.socket) -> None:
        try:
            accepted, sender = tcp.accept()
        except OSError as error:
            # The caller has gone again, or there are no more file descriptors.
            logger.warning("TCP: %s", error)
            return
        address = str(sender[0])
        if not self._intake.knows(address):
            self._intake.refuse(address)
            accepted.close()
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, seconds in _KEEPALIVE.items():
            if hasattr(socket, name):
                accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
        connection = _Connection(accepted, address)
        mine = self._senders.get(address, [])
        if len(mine) >= _MOST_OF_ONE_SENDER:
            self._end(mine[0])
        elif len(self._connections) >= _MOST_CONNECTIONS:
            self._end(next(iter(self._connections.values())))
        self._senders.setdefault(address, []).append(connection)
        self._connections[accepted] = connection
        self._selector.register(accepted, selectors.EVENT_READ)

    def _read_stream(self, connection: _Connection) -> bool:
        """Read once; give whether there may be more."""
        try:
            data = connection.socket.recv(_TCP_READ)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        for message in connection.frames.feed(data):
            self._intake.take(connection.sender, message)
        if not data:
            self._end(connection)
        return bool(data)

    def _end(self, connection: _Connection) -> None:
        if rest := connection.frames.rest():
            self._intake.take(connection.sender, rest)
        del self._connections[connection.socket]
        mine = self._senders[connection.sender]
        mine.remove(connection)
        if not mine:
            del self._senders[connection.sender]
        self._selector.unregister(connection.socket)
        connection.socket.close()

    def _close(self) -> None:
        for connection in list(self._connections.values()):
            self._end(connection)
        self._selector.close()
        for each in (*self._udp, *self._tcp, self._stop_reader, self._stop_writer):
            with contextlib.suppress(OSError):
                each.close()


def _explained(error: OSError) -> str:
    told = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return f"{told}; ports below 1024 need root, or CAP_NET_BIND_SERVICE as in deploy/systemd"
    return told
