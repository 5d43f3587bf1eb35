"""A ProXR relay board over TCP: four banks of eight relays, and a stack that takes one connection at a time.

Facts: a command is 254, code, bank; codes 100-107 switch the coil of relay 1-8 off (a device, wired normally
closed, goes ON), 108-115 switch it on (device OFF), 116-123 read it (1 = coil on); 254, 33 without a bank is
a two-way test; the answer 85 is OK. 254, 124, bank reads a whole bank as one byte, the first relay's bit the lowest,
and all as 32 bytes for bank 0; 254, 140, byte, bank sets a whole bank, or every one for bank 0 (ProXR Series manual).
The board needs a rest between connections.
"""

import asyncio
import os
import random
import select
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass

from simlab.config import RelayBoardSpec
from simlab.faults import RelayFault
from simlab.fields import LabError

PREFIX, TWO_WAY_TEST, ACKNOWLEDGED = 254, 33, 85
COIL_OFF, COIL_ON, COIL_READ = 100, 108, 116
BANK_READ, BANK_SET = 124, 140
BANKS, RELAYS = 4, 8
# What a reading of bank 0 gives: as many banks as the protocol knows, fitted or not.
REPORTED_BANKS = 32
# Bytes with a meaning (a reading or OK) are left out, so that garbage is garbage for certain.
GARBAGE = bytes(set(range(256)) - {0, 1, ACKNOWLEDGED})

Coil = tuple[int, int]
"""Bank 1-4 and relay 1-8."""


@dataclass(frozen=True)
class Command:
    """One command off the wire; bank is 0 for the two-way test, and coils the byte that sets a whole bank."""

    code: int
    bank: int = 0
    coils: int = 0


@dataclass
class RelayCounters:
    """What a board has seen: connections served, made to wait, refused at rest; commands, coils moved."""

    connections: int = 0
    waited: int = 0
    refused: int = 0
    commands: int = 0
    switches: int = 0


def take_command(buffer: bytearray) -> Command | None:
    """Takes one whole command off the buffer, skipping bytes that begin none; None until more has come."""
    start = buffer.find(PREFIX)
    del buffer[: start if start >= 0 else len(buffer)]
    length = {bytes([TWO_WAY_TEST]): 2, bytes([BANK_SET]): 4}.get(bytes(buffer[1:2]), 3)
    if len(buffer) < length:
        return None
    _, code, *rest = buffer[:length]
    del buffer[:length]
    return Command(code, rest[-1] if rest else 0, rest[0] if code == BANK_SET else 0)


def coil_of(outlet: str) -> Coil:
    """The coil behind an outlet written `bank2:relay7`."""
    bank, _, relay = outlet.partition(":")
    return int(bank.removeprefix("bank")), int(relay.removeprefix("relay"))


class RelayBoard:
    """One board; `switched` hears of each coil that really moved, after it has."""

    def __init__(
        self,
        spec: RelayBoardSpec,
        switched: Callable[[Coil], None],
        generator: random.Random,
        crashed: Callable[[str, BaseException], None],
    ) -> None:
        self.spec = spec
        self.counters = RelayCounters()
        self.energised: set[Coil] = set()
        self._switched = switched
        self._generator = generator
        self._crashed = crashed
        self._resting = False
        self._serving = False
        self._waiting: asyncio.Queue[socket.socket] = asyncio.Queue()
        self._listener: socket.socket | None = None
        self._acceptor: asyncio.Task[None] | None = None
        self._server: asyncio.Task[None] | None = None
        self._fault: RelayFault | None = None
        self._fault_left: int | None = None
        self._fault_ends: asyncio.TimerHandle | None = None

    @property
    def fault(self) -> str | None:
        """The fault that the board has now, by name."""
        return self._fault.name if self._fault else None

    def start(self) -> None:
        """Listens and serves from now on; LabError if the address cannot be had."""
        self._listen()
        self._server = self._run(self._serve())

    def stop(self) -> None:
        """Closes everything."""
        self._close_listener()
        if self._fault_ends is not None:
            self._fault_ends.cancel()
        if self._server is not None:
            self._server.cancel()

    def _run(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._crashed(self.spec.name, error)

    def _listen(self) -> None:
        if self._listener is not None:
            return
        try:
            self._listener = socket.create_server((self.spec.host, self.spec.port), backlog=8)
        except OSError as error:
            where = f"{self.spec.host}:{self.spec.port}"
            raise LabError(
                f"{self.spec.name} cannot listen on {where}: {os.strerror(error.errno or 0)}"
            ) from error
        self._listener.settimeout(0)
        self._acceptor = self._run(self._accept(self._listener))

    def set_fault(self, fault: RelayFault | None) -> None:
        """Gives the board a fault in place of the one it has; None heals it."""
        if self._fault_ends is not None:
            self._fault_ends.cancel()
            self._fault_ends = None
        self._fault = fault
        self._fault_left = fault.count if fault else None
        if fault is not None and fault.seconds is not None:
            loop = asyncio.get_running_loop()
            self._fault_ends = loop.call_later(fault.seconds, self.set_fault, None)
        if fault is not None and fault.name == "refused":
            self._close_listener()
        else:
            self._listen()

    def view(self) -> dict[str, object]:
        """The board as the control socket shows it."""
        coils = sorted(f"bank{bank}:relay{relay}" for bank, relay in self.energised)
        return {"name": self.spec.name, "fault": self.fault, "off": coils, "counters": asdict(self.counters)}

    async def _serve(self) -> None:
        while True:
            client = await self._waiting.get()
            if _hung_up(client):
                client.close()
                continue
            self._serving = True
            self.counters.connections += 1
            try:
                await self._converse(client)
            except ConnectionError:
                pass  # The client went away; the board just waits for the next one.
            finally:
                client.close()
                self._serving = False
            self._resting = True
            await asyncio.sleep(self.spec.rest)
            self._resting = False

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._resting:
                self.counters.refused += 1
                _reset(client)
                continue
            self.counters.waited += self._serving
            self._waiting.put_nowait(client)

    def _close_listener(self) -> None:
        if self._acceptor is not None:
            self._acceptor.cancel()
        if self._listener is not None:
            # Out of the event loop first: the kernel may give the same number to the next socket.
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        self._acceptor = self._listener = None
        while not self._waiting.empty():
            _reset(self._waiting.get_nowait())

    async def _converse(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        buffer = bytearray()
        while data := await loop.sock_recv(client, 256):
            buffer += data
            while command := take_command(buffer):
                self.counters.commands += 1
                await asyncio.sleep(self.spec.latency)
                await loop.sock_sendall(client, self._answer(command))

    def _answer(self, command: Command) -> bytes:
        fault = self._use_fault()
        if fault == "silence":
            return b""
        if fault == "garbage":
            return bytes(self._generator.choices(GARBAGE, k=self._generator.randint(1, 4)))
        if command.code == TWO_WAY_TEST:
            answer = bytes([ACKNOWLEDGED])
        elif command.code in (BANK_READ, BANK_SET):
            answer = b"" if fault == "no_banks" else self._act_on_banks(command, fault)
        elif not 1 <= command.bank <= BANKS or not COIL_OFF <= command.code < COIL_READ + RELAYS:
            return b""
        else:
            answer = self._act(command, fault)
        return b"" if fault == "lost_answer" else answer

    def _act(self, command: Command, fault: str | None) -> bytes:
        relay = (command.code - COIL_OFF) % RELAYS + 1
        coil = (command.bank, relay)
        if command.code >= COIL_READ:
            return bytes([(coil in self.energised) != (fault == "wrong_reading")])
        if fault != "wrong_status":
            self._move(coil, energise=command.code >= COIL_ON)
        return bytes([ACKNOWLEDGED])

    def _act_on_banks(self, command: Command, fault: str | None) -> bytes:
        if command.bank > BANKS:
            return b""
        if command.code == BANK_READ:
            last = command.bank or REPORTED_BANKS
            return bytes(self._reading(bank, fault) for bank in range(command.bank or 1, last + 1))
        for bank in [command.bank] if command.bank else range(1, BANKS + 1):
            for relay in range(1, RELAYS + 1):
                if fault != "wrong_status":
                    self._move((bank, relay), energise=bool(command.coils >> relay - 1 & 1))
        return bytes([ACKNOWLEDGED])

    def _reading(self, bank: int, fault: str | None) -> int:
        coils = sum(((bank, relay) in self.energised) << relay - 1 for relay in range(1, RELAYS + 1))
        return coils ^ (255 if fault == "wrong_reading" else 0)

    def _move(self, coil: Coil, *, energise: bool) -> None:
        if energise == (coil in self.energised):
            return
        self.counters.switches += 1
        (self.energised.add if energise else self.energised.discard)(coil)
        self._switched(coil)

    def _use_fault(self) -> str | None:
        name = self.fault
        if self._fault_left is not None:
            self._fault_left -= 1
            if self._fault_left == 0:
                self.set_fault(None)
        return name


def _reset(client: socket.socket) -> None:
    # Lingering for zero seconds makes closing send a reset, as a stack without a free slot does.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def _hung_up(client: socket.socket) -> bool:
    # A client that gave up while it waited never got through to a real board, so its bytes must not count.
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return bool(poll.poll(0))
