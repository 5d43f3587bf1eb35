"""Talks of drivers with peers whose answers are spoilt: cut, doubled, HTML, empty, huge, slow, of wrong types.

Between each driver that reads HTTP, JSON, SNMP, IPMI or bytes and a real peer is one that spoils what it says; what
programs print is spoilt in scripts of their names. The same seed spoils the same answers.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver, command, driver_class
from bmm.errors import HardwareError
from tests.unit.bmm.power.machines import Bmc, script
from tests.unit.bmm.power.mangling import PacketPeer, Peer, spoiled
from tests.unit.bmm.power.twins import Twin
from tests.unit.bmm.tcp_server import RelayBoard

OFF = {"off_seconds": 0.01}
LOGIN = {"user": "admin", "password": "sesame", **OFF}
PLAIN = {
    "on_url": "http://{address}/outlet/{outlet}/on",
    "off_url": "http://{address}/outlet/{outlet}/off",
    "query_url": "http://{address}/outlet/{outlet}",
    **OFF,
}
USM = {
    "version": "3",
    "user": "mozpool",
    "auth_password": "authentication",
    "priv_password": "encryption",
    **OFF,
}
APC = ("snmp_agent", "apc", "--outlets", "1")
# Far more than a driver needs to notice that its own time is over.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Kind:
    """A kind of driver: its settings, outlet and address at a port, and what is behind the one that spoils."""

    driver: str
    settings: dict[str, Any]
    outlet: str = "1"
    address: str = "127.0.0.1:{port}"
    twin: tuple[str, ...] = ()
    sound: Callable[[], Callable[[bytes], bytes]] | None = None
    talks: int = 40
    # What a talk has, and its driver at the most; all that follows has far more.
    seconds: float = 0.6


def _accepted(asked: bytes) -> bytes:
    return asked and b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nOK - accepted request\n"


def _monitor(asked: bytes) -> bytes:
    """Say what QEMU's monitor says."""
    if not asked:
        return b'{"QMP": {"version": {"qemu": {"micro": 2, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}\r\n'
    lines = [json.loads(line) for line in asked.splitlines()]
    said = [
        {"return": {"running": True} if "query" in line["execute"] else {}, **_id(line)} for line in lines
    ]
    return b"".join(json.dumps(each).encode() + b"\r\n" for each in said)


def _id(line: dict[str, Any]) -> dict[str, Any]:
    return {"id": line["id"]} if "id" in line else {}


def _board() -> Callable[[bytes], bytes]:
    board = RelayBoard()
    return lambda asked: asked and board.obey(asked)


KINDS = {
    "tasmota": Kind("tasmota", OFF, twin=("web_plug", "tasmota", "--outlets", "1,2")),
    "shelly": Kind("shelly", OFF, twin=("web_plug", "shelly")),
    "shelly2": Kind("shelly2", LOGIN, twin=("web_plug", "shelly2", "--password", "sesame")),
    "webhook": Kind("webhook", PLAIN, twin=("web_plug", "plain")),
    "redfish": Kind("redfish", {**LOGIN, "https": False}, twin=("redfish",)),
    "redfish by sessions": Kind("redfish", {**LOGIN, "https": False}, twin=("redfish", "--sessions-only")),
    "pdudaemon": Kind("pdudaemon", {"hostname": "shelf", **OFF}, sound=lambda: _accepted),
    "qemu": Kind("qemu", OFF, "{port}", "127.0.0.1", sound=lambda: _monitor),
    "snmp": Kind("snmp-apc", {"community": "private", **OFF}, twin=APC, talks=16, seconds=4),
    "snmp 3": Kind("snmp-apc", USM, twin=APC, talks=16, seconds=4),
    "proxr": Kind("proxr", {}, "bank1:relay1", sound=_board),
    "ipmi": Kind("ipmi", {"user": "mozpool", "password": "sesame", **OFF}, "chassis", talks=12, seconds=6),
}


@dataclass
class Spoiler:
    """Spoils answers of one talk: all of them or some, and in one of eight talks by not ending, or by being slow."""

    seed: str
    chance: random.Random = field(init=False)
    share: float = field(init=False)
    way: str = field(init=False)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.share = self.chance.choice([1.0, 0.5, 0.25, 0.1])
        self.way = self.chance.choice(["odd"] * 6 + ["endless", "slow"])

    def __call__(self, answer: bytes) -> bytes | None:
        if self.chance.random() > self.share:
            return answer
        if self.way == "slow":
            self.over.wait(PATIENCE_SECONDS)
        return None if self.way == "endless" else spoiled(answer, self.chance)


def made(kind: Kind, port: int) -> tuple[PowerDriver, str]:
    # Rests are not what is tested here.
    driver = driver_class(kind.driver)(
        kind.address.format(port=port), kind.settings, sleep=lambda seconds: time.sleep(min(seconds, 0.01))
    )
    driver.settle_seconds = min(driver.settle_seconds, 0.1)
    driver.rest_seconds = driver.off_seconds = 0.01
    driver.answer_seconds = driver.connect_seconds = kind.seconds / 2
    return driver, kind.outlet.format(port=port)


def ask(kind: Kind, port: int, what: int) -> str:
    """Let a driver do one thing; return in a word what came of it. Anything but a HardwareError goes through."""
    driver, outlet = made(kind, port)
    deadline = Deadline.after(kind.seconds)
    ways: list[Callable[[], object]] = [
        lambda: driver.cycle([outlet], deadline)[outlet],
        lambda: driver.power_off([outlet], deadline)[outlet],
        lambda: driver.read([outlet], deadline)[outlet],
        lambda: driver.test(deadline),
    ]
    try:
        found = ways[what % len(ways)]()
    except HardwareError as error:
        found = error
    if isinstance(found, HardwareError):
        assert "sesame" not in str(found)
        assert len(str(found)) < 1000
        return type(found).__name__
    assert found in (None, True, False)
    return "fine"


@contextmanager
def peers() -> Iterator[Callable[[Kind], int]]:
    """Give the port of the real peer of a kind, which is started when it is first needed."""
    running: dict[str, int] = {}
    with ExitStack() as stack:

        def port_of(kind: Kind) -> int:
            name = " ".join(kind.twin) or kind.driver
            if name not in running:
                server = Twin(*kind.twin) if kind.twin else Bmc()
                running[name] = stack.enter_context(server).port
            return running[name]

        yield port_of


@contextmanager
def between(kind: Kind, spoil: Spoiler, behind: Callable[[Kind], int]) -> Iterator[Peer | PacketPeer]:
    if kind.driver in ("snmp-apc", "ipmi"):
        peer: Peer | PacketPeer = PacketPeer(spoil, behind(kind))
    elif kind.sound:
        peer = Peer(spoil, sound=kind.sound())
    else:
        peer = Peer(spoil, behind(kind))
    try:
        yield peer
    finally:
        spoil.over.set()
        peer.close()


def talks(seed: str, name: str, behind: Callable[[Kind], int]) -> Counter[str]:
    """Let a kind of driver talk to a peer whose answers are spoilt; count what came of it."""
    kind = KINDS[name]
    behind(kind) if not kind.sound else None

    def talk(number: int) -> str:
        spoil = Spoiler(f"{seed} {name} {number}")
        with between(kind, spoil, behind) as peer:
            return ask(kind, peer.port, number)

    return in_time(talk, kind.talks)


def in_time(talk: Callable[[int], str], talks: int) -> Counter[str]:
    """Let many talk at once; count what came of them, if all of them end."""
    pool = ThreadPoolExecutor(20)
    try:
        futures = [pool.submit(talk, number) for number in range(talks)]
        assert not wait(futures, PATIENCE_SECONDS).not_done
        return Counter(future.result() for future in futures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class Program:
    """A program that a kind of driver runs: status, output and errors of the real one."""

    kind: Kind
    # The number of its talk, in the words that it is given.
    number: str
    prints: tuple[tuple[int, str, str], ...]


PROGRAMS = {
    "ipmitool": Program(
        Kind("ipmi", LOGIN, "chassis"),
        "$7",
        (
            (0, "Chassis Power is on\n", ""),
            (0, "Chassis Power Control: Up/On\n", ""),
            (1, "", "Error: Unable to establish IPMI v2 / RMCP+ session\n"),
            (1, "", "Set Chassis Power Control to Up/On failed: Node busy\n"),
            (1, "", "> RAKP 2 HMAC is invalid\n"),
        ),
    ),
    "virsh": Program(
        Kind("libvirt", OFF, "board", "test:///{port}"),
        "${3##*/}",
        (
            (0, "running\n\n", ""),
            (0, "shut off\n\n", ""),
            (0, "Domain 'board' started\n\n", ""),
            (1, "", "error: failed to get domain 'board'\n"),
            (1, "", "error: failed to connect to the hypervisor\n"),
        ),
    ),
    "switch": Program(
        Kind("command", {"command": "switch", **OFF}),
        "${2##*:}",
        ((0, "on\n", ""), (0, "off\n", ""), (0, "", ""), (1, "", "no such outlet\n")),
    ),
}
_SCRIPT = "at={folder}/{number}; . $at.way; cat $at.err >&2; cat $at.out; exit $status"
_PRINTED_TALKS = 40


def printed_talks(seed: str, name: str, folder: Path) -> Counter[str]:
    """Let a driver run a program in `folder` that prints what is spoilt; count what came of it."""
    program = PROGRAMS[name]
    script(folder, name, _SCRIPT.format(folder=folder, number=program.number))

    def talk(number: int) -> str:
        chance = random.Random(f"{seed} {name} {number}")
        status, out, err = chance.choice(program.prints)
        port = 1000 + number
        ways = [b"status=%d" % chance.choice([status, 0, 1, 127, 255])] * 9 + [b"exec sleep 600", b"exec yes"]
        for suffix, content in {
            "way": chance.choice(ways),
            "out": spoiled(out.encode(), chance),
            "err": spoiled(err.encode(), chance),
        }.items():
            (folder / f"{port}.{suffix}").write_bytes(content)
        return ask(replace(program.kind, seconds=2), port, number)

    words = (str(folder / "switch"), "{outlet}", "{address}")
    allowed = {"switch": {"on": (*words, "on"), "off": (*words, "off"), "state": words}}
    before = dict(command._allowed)
    with mock.patch.dict(os.environ, PATH=f"{folder}:/usr/bin:/bin"):
        command.allow(allowed)
        try:
            return in_time(talk, _PRINTED_TALKS)
        finally:
            command._allowed.clear()
            command._allowed.update(before)
