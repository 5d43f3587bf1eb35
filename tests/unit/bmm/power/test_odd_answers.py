"""Peers that answer oddly, over real sockets: nothing but a HardwareError leaves a driver, and power comes back."""

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver, driver_class, make_driver
from bmm.drivers.power.base import PowerDriver as Base
from bmm.errors import Garbled, HardwareError, Unreachable
from tests.unit.bmm.tcp_server import Talker

JSON = b"Content-Type: application/json\r\n"
LOGIN = {"user": "admin", "password": "sesame"}
WEBHOOK = {
    "on_url": "http://{address}/{outlet}/on",
    "off_url": "http://{address}/{outlet}/off",
    "query_url": "http://{address}/{outlet}",
}


def said(body: bytes, headers: bytes = JSON, status: bytes = b"200 OK") -> bytes:
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n" + headers + length + body


# What a peer may send back to whatever it is asked.
ODD: dict[str, bytes] = {
    "nothing": said(b""),
    "null": said(b"null"),
    "a list": said(b"[]"),
    "a list of lists": said(b"[[[]]]"),
    "a number": said(b"17"),
    "a string": said(b'"on"'),
    "an empty object": said(b"{}"),
    "wrong types": said(
        b'{"ison": "yes", "output": 1, "POWER": [], "PowerState": {}, "Systems": 5, "Actions": []}'
    ),
    "nulls": said(b'{"ison": null, "output": null, "POWER": null, "PowerState": null, "Systems": null}'),
    "two documents": said(b'{"error": {}}\n{"ison": true}'),
    "cut": said(b'{"ison": tr'),
    "cut by the connection": said(b'{"ison": true}').replace(b"Length: 14", b"Length: 400"),
    "html": said(b"<html><body>Login</body></html>", b"Content-Type: text/html\r\n"),
    "html that says it is json": said(b"<html>"),
    "latin-1": said(b'{"ison": "\xe9\xff"}'),
    "utf-16": said('{"ison": true}'.encode("utf-16")),
    "a wrong charset": said(b'{"ison": true}', b"Content-Type: application/json; charset=klingon\r\n"),
    "gzip that is none": said(b'{"ison": true}', JSON + b"Content-Encoding: gzip\r\n"),
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "huge": said(b'{"x": "' + b"y" * 300_000 + b'"}'),
    "deep": said(b"[" * 60_000),
    "a huge number": said(b'{"ison": ' + b"9" * 5000 + b"}"),
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 3000,
    "a status that is no number": b"HTTP/1.1 two OK\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a redirect to itself": said(b"", b"Location: /\r\n", b"302 Found"),
    "an error without a body": said(b"", b"", b"500 Oops"),
    "an error that is a list": said(b"[1]", JSON, b"400 Bad"),
    "not allowed, in a wrong shape": said(b'{"error": []}', JSON, b"401 No"),
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "tasmota": ("1", {}),
    "shelly": ("1", {}),
    "shelly2": ("1", {}),
    "webhook": ("1", WEBHOOK),
    "pdudaemon": ("1", {"hostname": "pdu"}),
    "redfish": ("A", {**LOGIN, "https": False}),
    "qemu": ("", {}),
    "proxr": ("bank1:relay1", {}),
}


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[Talker]:
    """Serve one request for each connection."""

    def talk(connection: socket.socket) -> None:
        connection.settimeout(3)
        asked = connection.recv(65536)
        length = re.search(rb"Content-Length: (\d+)", asked)
        while length and len(asked.partition(b"\r\n\r\n")[2]) < int(length[1]):
            asked += connection.recv(65536)
        connection.sendall(answer(asked))
        connection.shutdown(socket.SHUT_WR)

    with Talker(talk) as server:
        yield server


def driver_for(kind: str, address: str) -> tuple[PowerDriver, str]:
    outlet, settings = KINDS[kind]
    host, _, port = address.partition(":")
    given = settings if kind == "proxr" else {"off_seconds": 0.05, **settings}
    # Rests are not what is tested here.
    driver = driver_class(kind)(
        host if kind == "qemu" else address, given, sleep=lambda seconds: time.sleep(min(seconds, 0.01))
    )
    driver.settle_seconds = min(driver.settle_seconds, 0.1)
    driver.rest_seconds = 0.01
    driver.answer_seconds = driver.connect_seconds = 0.5
    return driver, outlet or port


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_peer_says_is_a_hardware_error_or_a_state(kind: str, odd: str) -> None:
    with answering(lambda _: ODD[odd]) as server:
        driver, outlet = driver_for(kind, server.address)
        cycled = driver.cycle([outlet], Deadline.after(1))
        read = driver.read([outlet], Deadline.after(0.5))
        with suppress(HardwareError):
            driver.test(Deadline.after(0.5))
    assert cycled.keys() == read.keys() == {outlet}
    assert cycled[outlet] is None or isinstance(cycled[outlet], HardwareError)
    assert read[outlet] in (True, False, None) or isinstance(read[outlet], HardwareError)


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_drips_is_left_at_the_deadline(kind: str) -> None:
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        for byte in said(b'{"ison": true}'):
            connection.sendall(bytes((byte,)))
            if ended.wait(0.2):
                return

    with Talker(drip) as server:
        driver, outlet = driver_for(kind, server.address)
        began = time.monotonic()
        results = driver.power_off([outlet], Deadline.after(2))
        ended.set()
    assert isinstance(results[outlet], Unreachable)
    assert time.monotonic() - began < 3.5


PACKETS = {
    "nothing": b"",
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(64),
    "a sequence without end": b"\x30\x84\x7f\xff\xff\xff",
    "a version that nobody knows": b"\x30\x0b\x02\x01\x63\x04\x06public",
    "cut": b"\x30\x29\x02\x01\x01\x04\x07private\xa2\x1b",
    "no pdu": b"\x30\x0c\x02\x01\x01\x04\x07private",
    "a huge integer": b"\x30\x82\x01\x00\x02\x81\xfd" + b"\xff" * 253,
    "huge": b"\x30" * 60_000,
}


@pytest.mark.parametrize("odd", PACKETS)
def test_whatever_an_snmp_agent_sends_is_a_hardware_error(odd: str) -> None:
    agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    agent.bind(("127.0.0.1", 0))
    agent.settimeout(0.1)
    over = threading.Event()

    def reply() -> None:
        while not over.is_set():
            try:
                _, peer = agent.recvfrom(65536)
            except TimeoutError:
                continue
            agent.sendto(PACKETS[odd], peer)

    thread = threading.Thread(target=reply)
    thread.start()
    try:
        address = f"127.0.0.1:{agent.getsockname()[1]}"
        driver = make_driver("snmp-apc", address, {"community": "private", "off_seconds": 0.05})
        driver.settle_seconds, driver.answer_seconds = 0.1, 0.2
        results = driver.cycle(["1"], Deadline.after(1))
    finally:
        over.set()
        thread.join()
        agent.close()
    assert isinstance(results["1"], Unreachable)


class Bmc:
    """A Redfish service with systems A and B whose answers for A are odd while A is off."""

    def __init__(self, odd: bytes) -> None:
        self.odd = odd
        self.power = {"A": "On", "B": "On"}
        self.posted: list[tuple[str, str]] = []

    def answer(self, asked: bytes) -> bytes:
        method, path = asked.split(b" ")[:2]
        parts = path.decode().strip("/").split("/")
        if len(parts) < 4:
            root = {
                "Id": "r",
                "Name": "r",
                "RedfishVersion": "1.6.0",
                "Systems": {"@odata.id": "/redfish/v1/Systems"},
            }
            return said(json.dumps(root).encode())
        name = parts[3]
        if method == b"POST":
            kind = json.loads(asked.partition(b"\r\n\r\n")[2])["ResetType"]
            self.posted.append((name, kind))
            self.power[name] = {"On": "On", "ForceOff": "Off"}[kind]
            return said(b"", b"", b"204 Done")
        if name == "A" and self.power["A"] == "Off":
            return self.odd
        values = {"ResetType@Redfish.AllowableValues": ["On", "ForceOff"]}
        reset = {"target": f"/redfish/v1/Systems/{name}/Actions/ComputerSystem.Reset", **values}
        system = {
            "Id": name,
            "Name": name,
            "PowerState": self.power[name],
            "Actions": {"#ComputerSystem.Reset": reset},
        }
        return said(json.dumps(system).encode())


@pytest.mark.parametrize(
    "odd", ["nothing", "null", "a list", "wrong types", "nulls", "two documents", "html", "utf-16"]
)
def test_a_system_that_is_off_and_cannot_be_read_any_more_is_switched_on_like_the_others(odd: str) -> None:
    bmc = Bmc(ODD[odd])
    with answering(bmc.answer) as server:
        driver, _ = driver_for("redfish", server.address)
        driver.answer_seconds = driver.connect_seconds = 2.0
        results = driver.cycle(["A", "B"], Deadline.after(12))
    assert isinstance(results["A"], Garbled)
    assert results["B"] is None
    assert bmc.power == {"A": "On", "B": "On"}
    assert ("A", "On") in bmc.posted


class Faulty(Base):
    """A driver with a fault of its own."""

    outlet_pattern = re.compile("[0-9]")
    outlet_grammar = "a digit"
    off_seconds = 0.01

    def __init__(self, fails: str) -> None:
        super().__init__("switch-1")
        self.fails = fails
        self.on = dict.fromkeys("12", True)

    def _perhaps(self, where: str) -> None:
        if where == self.fails:
            raise struct_error()

    def open(self, deadline: Deadline) -> None:
        self._perhaps("open")

    def close(self) -> None:
        self._perhaps("close")

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        self.on[outlet] = on
        self._perhaps(f"set {outlet} {'on' if on else 'off'}")

    def get(self, outlet: str, deadline: Deadline) -> bool:
        self._perhaps(f"get {outlet}")
        return self.on[outlet]

    def answers(self, deadline: Deadline) -> bool:
        self._perhaps("answers")
        return True


def struct_error() -> Exception:
    return KeyError("s3cret")


@pytest.mark.parametrize(
    ("fails", "hit"),
    [
        ("open", {"1", "2"}),
        ("close", set()),
        ("set 1 off", {"1"}),
        ("set 1 on", {"1"}),
        ("get 1", {"1"}),
    ],
)
def test_a_fault_of_a_driver_is_logged_and_told_without_its_text_and_all_outlets_go_on_again(
    fails: str, hit: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    driver = Faulty(fails)
    with caplog.at_level(logging.ERROR):
        results = driver.cycle(["1", "2"], Deadline.after(3))
    assert {outlet for outlet, error in results.items() if error} == hit
    assert driver.on == {"1": True, "2": True}
    assert all(isinstance(results[outlet], Unreachable) for outlet in hit)
    assert not any("s3cret" in str(error) for error in results.values())
    assert any(record.exc_info and "s3cret" in str(record.exc_info[1]) for record in caplog.records)


def test_a_test_that_fails_for_a_fault_of_the_driver_says_so() -> None:
    with pytest.raises(Garbled, match=r"^answers of switch-1: an answer that makes no sense \(KeyError\)$"):
        Faulty("answers").test(Deadline.after(3))
