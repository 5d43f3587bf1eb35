"""A part of the lab that runs in a thread of the test, and the wires to it."""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from simlab.board import Board
from simlab.config import LabConfig, parse
from simlab.part import Part

MAC = "0200000000ff"
RELAY_PORT = 2101
_NUMBERS = itertools.count(1)

Description = dict[str, Any]


def addresses() -> tuple[str, str]:
    """A relay board's and a device's address that no other test of this machine uses now."""
    # Below those of tests/network.py.
    second, number = 100 + os.getpid() % 60, next(_NUMBERS)
    return f"127.{second}.{number}.1", f"127.{second}.{number}.2"


def description(tmp_path: Path) -> Description:
    """A lab of one relay board and one device whose steps take milliseconds, as LAB.json has it."""
    relay_host, device_address = addresses()
    steps = ("bootloader", "live_boot", "download", "install", "image_boot", "self_test", "call")
    return {
        "seed": 1,
        "workers": 2,
        "tftp_root": str(tmp_path),
        "control": str(tmp_path / "control.sock"),
        "timing": {step: [0.004, 0.001] for step in steps},
        "images": {"b2g": {"agent": True}, "android": {"tcp": [5555]}},
        "relay_boards": [{"name": "relay-1", "host": relay_host, "rest": 0.05, "latency": 0}],
        "devices": [
            {
                "name": "panda-0001",
                "mac": MAC,
                "address": device_address,
                "relay_board": "relay-1",
                "outlet": "bank1:relay1",
                "image": "b2g",
            }
        ],
    }


class Lab:
    """A running part of the lab; every call reaches it in its own event loop."""

    def __init__(self, config: LabConfig) -> None:
        self.config = config
        self.crashes: list[tuple[str, BaseException]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.part = Part(config, lambda name, error: self.crashes.append((name, error)))

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.part.start(), self._loop).result(5)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(_end(self.part), self._loop).result(5)
        self._stop()
        assert self.crashes == []

    def _stop(self) -> None:
        # A thread that lives on would keep the whole test run from ending.
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def device_address(self) -> str:
        """The only device's address."""
        return self.config.devices[0].address

    def ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        """A request as the control socket brings it."""

        async def asked() -> dict[str, Any]:
            return self.part.answer({"verb": verb, **arguments})

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(5)

    def board(self) -> Board:
        """The only device; a test may look at it and must not touch it."""
        return self.part.boards["panda-0001"]

    def story(self) -> list[str]:
        """What has happened to the only device, without the times."""
        return [what for _, what in self.ask("board", name="panda-0001")["history"]]

    def wait_for(self, what: str, *, times: int = 1) -> None:
        """Until the device's history has the entry so many times."""
        wait_until(lambda: self.story().count(what) >= times, lambda: f"{what} missing in {self.story()}")

    def relay(self) -> "Relay":
        """A connection to the only relay board."""
        return Relay(self.config.relay_boards[0].host)

    def cycle(self) -> None:
        """Cycles the device's power through its relay, once the relay board has rested."""
        wait_until(self._cycled, lambda: "the relay board serves nobody")

    def _cycled(self) -> bool:
        try:
            with self.relay() as relay:
                off = relay.ask(254, 108, 1)
                assert off + relay.ask(254, 100, 1) == b"\x55\x55"
        except ConnectionResetError:
            return False
        return True


async def _end(part: Part) -> None:
    part.stop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Relay:
    """A client's side of a relay board's connection."""

    def __init__(self, host: str) -> None:
        self.socket = socket.create_connection((host, RELAY_PORT), timeout=3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, *command: int) -> bytes:
        """Sends a command; the answer's bytes, b"" once the board has closed."""
        self.socket.sendall(bytes(command))
        return self.socket.recv(64)

    def hears_nothing(self, seconds: float = 0.1) -> bool:
        """Whether the board says nothing for so long, with the connection still open."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(64)
        except TimeoutError:
            return True
        return False


@contextlib.contextmanager
def running(described: Description) -> Iterator[Lab]:
    """The lab of a description, running."""
    with Lab(parse(json.dumps(described))) as lab:
        yield lab


def wait_until(true: Callable[[], object], complaint: Callable[[], str], seconds: float = 5) -> None:
    """Until the condition holds; fails with the complaint when it does not in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, complaint()
        time.sleep(0.005)
