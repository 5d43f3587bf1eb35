"""Peers that answer oddly, over real sockets: nothing but a HardwareError leaves a driver, and power comes back."""

import itertools
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver, driver_class
from bmm.drivers.power.base import PowerDriver as Base
from bmm.errors import Garbled, Unreachable
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


# What a service may say of a system that it spoke of a moment ago.
ODD: dict[str, bytes] = {
    "nothing": said(b""),
    "null": said(b"null"),
    "a list": said(b"[]"),
    "wrong types": said(b'{"PowerState": {}, "Systems": 5, "Actions": []}'),
    "nulls": said(b'{"PowerState": null, "Systems": null}'),
    "two documents": said(b'{"error": {}}\n{"PowerState": "On"}'),
    "html": said(b"<html><body>Login</body></html>", b"Content-Type: text/html\r\n"),
    "utf-16": said('{"PowerState": "On"}'.encode("utf-16")),
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_drips_without_end_is_left_at_the_deadline(kind: str) -> None:
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        for byte in itertools.chain(said(b'{"ison": ', JSON, b"200 OK"), itertools.repeat(32)):
            if ended.wait(0.1):
                return
            connection.sendall(bytes((byte,)))

    with Talker(drip) as server:
        driver, outlet = driver_for(kind, server.address)
        results = driver.power_off([outlet], Deadline.after(1))
        ended.set()
    assert isinstance(results[outlet], Unreachable)


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


@pytest.mark.parametrize("odd", ODD)
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
