"""Hundreds of odd answers to every driver that reads HTTP, JSON, SNMP, IPMI or bytes: only a HardwareError leaves it.

Between each driver and a real peer is one that spoils answers: wrong types, cut, doubled, HTML, empty, huge, without
end, slow, in other encodings. The same seed spoils the same answers.
"""

import json
import random
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver, driver_class
from bmm.errors import HardwareError
from tests.unit.bmm.power.machines import Bmc, script
from tests.unit.bmm.power.mangling import ENDLESS, PacketPeer, Peer, spoiled
from tests.unit.bmm.power.twins import Twin
from tests.unit.bmm.tcp_server import RelayBoard

SEED = 20261201
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
    """A kind of driver: its settings and outlet, and what is behind the one that spoils."""

    driver: str
    settings: dict[str, Any]
    outlet: str = "1"
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
    "qemu": Kind("qemu", OFF, sound=lambda: _monitor),
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
    address = "127.0.0.1" if kind.driver == "qemu" else f"127.0.0.1:{port}"
    # Rests are not what is tested here.
    driver = driver_class(kind.driver)(
        address, kind.settings, sleep=lambda seconds: time.sleep(min(seconds, 0.01))
    )
    driver.settle_seconds = min(driver.settle_seconds, 0.1)
    driver.rest_seconds = driver.off_seconds = 0.01
    driver.answer_seconds = driver.connect_seconds = kind.seconds / 2
    return driver, str(port) if kind.driver == "qemu" else kind.outlet


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


@pytest.fixture(scope="module")
def behind() -> Iterator[Callable[[Kind], int]]:
    """The port of the real peer of a kind, which is started when it is first needed."""
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


@pytest.mark.parametrize("name", KINDS)
def test_of_what_is_odd_nothing_but_a_hardware_error_leaves_a_driver_and_in_time(
    name: str, behind: Callable[[Kind], int]
) -> None:
    kind = KINDS[name]
    behind(kind) if not kind.sound else None

    def talk(number: int) -> str:
        spoil = Spoiler(f"{SEED} {name} {number}")
        with between(kind, spoil, behind) as peer:
            return ask(kind, peer.port, number)

    outcomes = Counter(in_time(talk, kind.talks))
    # Else nothing was spoilt.
    assert outcomes.total() > outcomes["fine"]


def in_time(talk: Callable[[int], str], talks: int) -> list[str]:
    """Let many talk at once; return what came of each, if all of them end."""
    pool = ThreadPoolExecutor(20)
    try:
        futures = [pool.submit(talk, number) for number in range(talks)]
        assert not wait(futures, PATIENCE_SECONDS).not_done
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "ipmi"])
def test_a_peer_that_never_stops_talking_is_not_listened_to_for_long(
    name: str, behind: Callable[[Kind], int]
) -> None:
    kind = KINDS[name]
    spoil = Spoiler(name)
    spoil.share, spoil.way = 1.0, "endless"
    with between(kind, spoil, behind) as peer:
        # Its library is not what is measured.
        driver_class(kind.driver)
        tracemalloc.start()
        try:
            ask(replace(kind, seconds=0.6), peer.port, 1)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peer.most < ENDLESS
    assert most < ENDLESS / 2


IPMITOOL = "at={folder}/$7; . $at.way; cat $at.err >&2; cat $at.out; exit $status"
PRINTS = (
    (0, "Chassis Power is on\n", ""),
    (0, "Chassis Power Control: Up/On\n", ""),
    (1, "", "Error: Unable to establish IPMI v2 / RMCP+ session\n"),
    (1, "", "Set Chassis Power Control to Up/On failed: Node busy\n"),
    (1, "", "> RAKP 2 HMAC is invalid\n"),
)


def test_nor_of_what_a_program_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "ipmitool", IPMITOOL.format(folder=tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def talk(number: int) -> str:
        chance = random.Random(f"{SEED} {number}")
        status, out, err = chance.choice(PRINTS)
        port = 1000 + number
        for name, content in {
            "way": chance.choice(
                [b"status=%d" % chance.choice([status, 0, 1, 127, 255])] * 9
                + [b"exec sleep 600", b"exec yes"]
            ),
            "out": spoiled(out.encode(), chance),
            "err": spoiled(err.encode(), chance),
        }.items():
            (tmp_path / f"{port}.{name}").write_bytes(content)
        return ask(replace(KINDS["ipmi"], seconds=2), port, number)

    outcomes = Counter(in_time(talk, 40))
    assert outcomes.total() > outcomes["fine"]
