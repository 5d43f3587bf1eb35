"""Small real TCP servers in threads, on free loopback ports, for the drivers to talk to."""

import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self


class TcpServer(ABC):
    """Serves one connection after the other by `serve`; `stop` refuses connections, `start` takes them again."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.closed_at: list[float] = []
        self.opened_at: list[float] = []
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._current: socket.socket | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @abstractmethod
    def serve(self, connection: socket.socket) -> None: ...

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(16)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse new connections from now on; one that is open may go on until `hang_up`."""
        if self._listener is not None:
            # A close alone does not wake the thread that waits in accept.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def hang_up(self) -> None:
        if self._current is not None:
            self._current.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self.opened_at.append(time.monotonic())
            self._current = connection
            with connection:
                try:
                    self.serve(connection)
                except OSError:
                    continue
                finally:
                    self.closed_at.append(time.monotonic())
                    self._current = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        current = self._current
        if current is not None:
            try:
                current.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


class Hangup(OSError):
    """Raised by a script: the connection is cut here."""


class RelayBoard(TcpServer):
    """A ProXR board of 32 relays, wired normally closed, that a test can make misbehave.

    `script` sees each command before the board does: None lets the board answer, bytes are sent in its place
    (none of them is silence), Hangup cuts the connection.
    """

    def __init__(self, script: Callable[[bytes], bytes | None] | None = None) -> None:
        super().__init__()
        self.script = script
        self.commands: list[bytes] = []
        # (bank, relay) of each coil that is on, that is, of each device without power.
        self.coils: set[tuple[int, int]] = set()
        self.stuck: set[tuple[int, int]] = set()
        self.switched: list[tuple[float, tuple[int, int], bool]] = []

    @property
    def off(self) -> set[str]:
        """The outlets without power."""
        return {f"bank{bank}:relay{relay}" for bank, relay in self.coils}

    def serve(self, connection: socket.socket) -> None:
        while True:
            head = _exactly(connection, 2)
            command = head + _exactly(connection, {33: 0, 140: 2}.get(head[1], 1))
            self.commands.append(command)
            said = self.script(command) if self.script else None
            connection.sendall(self.obey(command) if said is None else said)

    def obey(self, command: bytes) -> bytes:
        assert command[0] == 254
        if command[1] == 33:
            return bytes((85,))
        code, *coils, bank = command[1:]
        if code == 124:
            return bytes((sum(((bank, relay) in self.coils) << relay - 1 for relay in range(1, 9)),))
        if code == 140:
            for relay in range(1, 9):
                self._switch((bank, relay), on=not coils[0] >> relay - 1 & 1)
        elif 100 <= code <= 107:
            self._switch((bank, code - 99), on=True)
        elif 108 <= code <= 115:
            self._switch((bank, code - 107), on=False)
        else:
            return bytes(((bank, code - 115) in self.coils,))
        return bytes((85,))

    def _switch(self, relay: tuple[int, int], *, on: bool) -> None:
        self.switched.append((time.monotonic(), relay, on))
        if relay in self.stuck:
            return
        if on:
            self.coils.discard(relay)
        else:
            self.coils.add(relay)


class Talker(TcpServer):
    """Runs one function for each connection; silent for ever when there is none."""

    def __init__(self, talk: Callable[[socket.socket], None] | None = None) -> None:
        super().__init__()
        self._talk = talk

    def serve(self, connection: socket.socket) -> None:
        if self._talk is not None:
            self._talk(connection)
        while connection.recv(65536):
            pass


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise Hangup
        data += more
    return data
