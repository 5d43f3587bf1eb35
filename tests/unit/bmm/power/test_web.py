"""Switches behind URLs against small real web servers, and pdudaemon against the daemon itself."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bmm.deadline import Deadline
from bmm.drivers import http
from bmm.drivers.power import PowerDriver, make_driver
from bmm.errors import Garbled, HardwareError, Misconfigured, OutOfTime, Refused, Unreachable
from tests.servers.process import Server, free_port
from tests.unit.bmm.power.twins import Twin
from tests.unit.bmm.tcp_server import Talker

ADMIN = {"user": "admin", "password": "sesame"}
PLAIN = {
    "on_url": "http://{address}/outlet/{outlet}/on",
    "off_url": "http://{address}/outlet/{outlet}/off",
    "query_url": "http://{address}/outlet/{outlet}",
}
KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("tasmota", "tasmota", {}),
    ("shelly", "shelly", {}),
    ("shelly2", "shelly2", {}),
    ("plain", "webhook", PLAIN),
]


def driver_for(address: str, name: str, **settings: object) -> PowerDriver:
    driver = make_driver(name, address, {"off_seconds": 0.1, **settings})
    driver.settle_seconds = 0.6
    return driver


@pytest.mark.parametrize(("kind", "name", "settings"), KINDS)
def test_each_kind_is_tested_cycled_and_read(kind: str, name: str, settings: dict[str, Any]) -> None:
    with Twin("web_plug", kind) as plug:
        driver = driver_for(plug.address, name, **settings)
        assert driver.test(Deadline.after(60)) is True
        assert driver.cycle(["1", "2"], Deadline.after(60)) == {"1": None, "2": None}
        assert plug.orders == [("1", False), ("2", False), ("1", True), ("2", True)]
        assert driver.power_off(["2"], Deadline.after(60)) == {"2": None}
        assert driver.read(["1", "2"], Deadline.after(60)) == {"1": True, "2": False}


@pytest.mark.parametrize(("kind", "name", "settings"), KINDS)
def test_a_password_is_given_where_it_belongs_and_a_wrong_one_is_a_matter_of_configuration(
    kind: str, name: str, settings: dict[str, Any]
) -> None:
    with Twin("web_plug", kind, "--password", "sesame") as plug:
        right = driver_for(plug.address, name, **settings, **ADMIN)
        assert right.power_off(["1"], Deadline.after(60)) == {"1": None}
        wrong = driver_for(plug.address, name, **settings, user="admin", password="open")
        error = wrong.power_on(["1"], Deadline.after(60))["1"]
        assert isinstance(error, Misconfigured)
        assert "answered 401" in str(error)
        assert "open" not in str(error)
        assert plug.orders == [("1", False)]


def test_a_plug_with_one_relay_says_power_without_a_number() -> None:
    with Twin("web_plug", "tasmota", "--outlets", "1") as plug:
        assert driver_for(plug.address, "tasmota").cycle(["1"], Deadline.after(60)) == {"1": None}


def test_a_shelly_of_the_second_generation_is_never_told_its_password_in_the_clear() -> None:
    heard: list[bytes] = []

    def ask_for_basic(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)

    with Talker(ask_for_basic) as server:
        error = driver_for(server.address, "shelly2", **ADMIN).read(["1"], Deadline.after(3))["1"]
    assert isinstance(error, Misconfigured)
    assert "a login that we do not know" in str(error)
    assert heard
    assert not any(b"authorization" in call.lower() for call in heard)


def test_a_relay_that_a_tasmota_lacks_switches_none_of_the_others() -> None:
    with Twin("web_plug", "tasmota", "--outlets", "1") as plug:
        error = driver_for(plug.address, "tasmota").cycle(["2"], Deadline.after(60))["2"]
        assert isinstance(error, Garbled)
        assert plug.orders == []


@contextmanager
def saying(text: str, status: str = "200 OK") -> Iterator[str]:
    """Answer every call alike."""
    body = text.encode()

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)

    with Talker(talk) as server:
        yield server.address


@pytest.mark.parametrize(
    ("name", "settings", "text", "kind"),
    [
        ("tasmota", {}, '{"WARNING":"Need user=<username>&password=<password>"}', Misconfigured),
        ("tasmota", {}, '{"Command":"Unknown"}', http.NotThere),
        ("tasmota", {}, '{"Command":"Error"}', http.NotThere),
        ("tasmota", {}, '{"POWER2":"ON"}', Garbled),
        ("tasmota", {}, "<html>printer</html>", Garbled),
        ("shelly", {}, '{"POWER1":"ON"}', Garbled),
        ("shelly", {}, "<html>printer</html>", Garbled),
        ("shelly2", {}, '{"id":1,"output":true}', Garbled),
        ("shelly2", {}, '{"id":0,"output":null}', Garbled),
        ("webhook", PLAIN, "<html>printer</html>", Garbled),
        ("pdudaemon", {"hostname": "shelf"}, "<html>printer</html>", Garbled),
    ],
)
def test_what_is_no_such_switch_or_does_not_let_us_in_never_passes_the_test(
    name: str, settings: dict[str, str], text: str, kind: type[HardwareError]
) -> None:
    with saying(text) as address, pytest.raises(HardwareError) as error:
        driver_for(address, name, **settings).test(Deadline.after(3))
    assert type(error.value) is kind


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error"])
def test_an_outlet_that_a_shelly_lacks_is_a_matter_of_configuration(status: str) -> None:
    with saying('{"code":-105,"message":"Argument \'id\', value 5 not found!"}', status) as address:
        error = driver_for(address, "shelly2").read(["5"], Deadline.after(3))["5"]
    assert type(error) is http.NotThere


def test_a_tasmota_whose_words_for_on_and_off_are_written_small_is_understood() -> None:
    with saying('{"POWER":"on"}') as address:
        assert driver_for(address, "tasmota").read(["1"], Deadline.after(3)) == {"1": True}


def test_a_webhook_is_tested_by_the_outlet_that_its_settings_name() -> None:
    with Twin("web_plug", "plain", "--outlets", "lamp") as plug:
        assert (
            driver_for(plug.address, "webhook", **PLAIN, test_outlet="lamp").test(Deadline.after(3)) is True
        )
        with pytest.raises(http.NotThere):
            driver_for(plug.address, "webhook", **PLAIN).test(Deadline.after(3))


def test_an_old_pdudaemon_is_told_not_to_wait_before_it_switches() -> None:
    heard: list[str] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(65536).decode().split()[1])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nOK - accepted request\n")
        connection.shutdown(socket.SHUT_WR)

    with Talker(talk) as server:
        driver = driver_for(server.address, "pdudaemon", hostname="shelf")
        assert driver.cycle(["4"], Deadline.after(60)) == {"4": None}
    assert heard == [
        "/power/control/off?hostname=shelf&port=4&delay=0",
        "/power/control/on?hostname=shelf&port=4&delay=0",
    ]


@pytest.mark.parametrize(("kind", "name", "settings"), KINDS)
def test_an_outlet_that_sticks_is_refused(kind: str, name: str, settings: dict[str, Any]) -> None:
    with Twin("web_plug", kind, "--stuck", "1") as plug:
        error = driver_for(plug.address, name, **settings).power_off(["1"], Deadline.after(60))["1"]
    assert isinstance(error, Refused)


@pytest.mark.parametrize(("kind", "name", "settings"), KINDS)
def test_an_outlet_that_is_not_there_is_never_called_off(
    kind: str, name: str, settings: dict[str, Any]
) -> None:
    with Twin("web_plug", kind, "--outlets", "0,1") as plug:
        driver = driver_for(plug.address, name, **settings)
        assert isinstance(driver.read(["3"], Deadline.after(60))["3"], (Misconfigured, Garbled))
        assert isinstance(driver.power_off(["3"], Deadline.after(60))["3"], (Misconfigured, Garbled))
        assert plug.orders == []


def test_a_webhook_that_cannot_be_asked_switches_unverified_and_tells_no_state() -> None:
    blind = {name: url for name, url in PLAIN.items() if name != "query_url"}
    with Twin("web_plug", "plain", "--stuck", "1") as plug:
        driver = driver_for(plug.address, "webhook", **blind)
        assert driver.verifies is False
        assert driver.cycle(["1"], Deadline.after(60)) == {"1": None}
        assert driver.read(["1"], Deadline.after(60)) == {"1": None}
        with pytest.raises(Misconfigured, match="there is no test of it"):
            driver.test(Deadline.after(60))


def test_an_answer_that_fits_both_patterns_is_neither_on_nor_off() -> None:
    with Twin("web_plug", "plain") as plug:
        driver = driver_for(plug.address, "webhook", **PLAIN, on_pattern="status", off_pattern="running")
        error = driver.read(["1"], Deadline.after(60))["1"]
    assert isinstance(error, Garbled)
    assert "says neither on nor off" in str(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"on_url": "ftp://{address}/"}, "http://host/path or https://host/path expected"),
        ({"on_url": "http://admin:secret@{address}/"}, "a URL without user"),
        ({"on_url": "http://{address}/a b"}, "without white space"),
        ({"on_url": "http://{address}:99999/"}, "is no URL"),
        ({"off_pattern": "("}, "setting off_pattern: a regular expression expected"),
        ({"headers": "X-Key: 1\nnonsense"}, "plain lines `Name: value` expected"),
        ({"token": "a\r\nX: y"}, "plain lines `Name: value` expected"),
        ({"method": "DELETE"}, "setting method: one of GET, POST, PUT, PATCH expected"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_before_anything_is_called(
    change: dict[str, str], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words) as refusal:
        make_driver("webhook", "127.0.0.1", {**PLAIN, **change})
    assert "secret" not in str(refusal.value)


def test_an_outlet_cannot_lead_a_call_elsewhere() -> None:
    driver = make_driver("webhook", "127.0.0.1", PLAIN)
    for outlet in ("../1", "1/on", "1?x=y", "1#", "a b", "-1", "", "é"):
        with pytest.raises(Misconfigured):
            driver.check_outlet(outlet)


def test_a_slow_plug_is_given_up_at_the_deadline() -> None:
    with Twin("web_plug", "shelly", "--slow", "30") as plug:
        began = time.monotonic()
        with pytest.raises(OutOfTime):
            http.judge(http.exchange("GET", f"{plug.url}/relay/1", Deadline.after(0.5)))
        assert time.monotonic() - began < 8


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        connection.sendall(b"X-Still: here\r\n")
        time.sleep(0.1)


def test_a_server_that_drips_is_cut_off_at_the_deadline_too() -> None:
    with Talker(drip) as server:
        began = time.monotonic()
        with pytest.raises(OutOfTime):
            http.judge(http.exchange("GET", f"http://{server.address}/", Deadline.after(0.5)))
        assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", Garbled),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Misconfigured),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Unreachable),
        (b"HTTP/1.1 409 Locked\r\nContent-Length: 0\r\n\r\n", Refused),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", http.NotThere),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70000, Garbled),
        (b"", Garbled),
    ],
)
def test_what_a_server_says_is_named_by_what_to_do(said: bytes, kind: type[HardwareError]) -> None:
    def say(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_RDWR)

    with Talker(say) as server, pytest.raises(HardwareError) as error:
        http.judge(http.exchange("GET", f"http://{server.address}/", Deadline.after(2)))
    assert type(error.value) is kind


def test_nobody_at_the_address_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        http.judge(http.exchange("GET", f"http://127.0.0.1:{free_port()}/", Deadline.after(2)))


def test_a_certificate_that_nobody_signed_is_trusted_only_when_told_so(tmp_path: Path) -> None:
    pem = tmp_path / "key-and-certificate.pem"
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=plug", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_bytes(key.read_bytes() + certificate.read_bytes())
    with Twin("web_plug", "shelly", "--certificate", str(pem)) as plug:
        careful = driver_for(plug.address, "shelly", https=True)
        error = careful.read(["1"], Deadline.after(60))["1"]
        assert isinstance(error, Misconfigured)
        assert "its certificate is not trusted" in str(error)
        trusting = driver_for(plug.address, "shelly", https=True, verify_certificate=False)
        assert trusting.read(["1"], Deadline.after(60)) == {"1": True}


class PduDaemon(Server):
    """pdudaemon itself, with one switch that writes down what it is told."""

    name = "pdudaemon"

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        told = self.folder / "told"
        configuration = {
            "daemon": {
                "hostname": "127.0.0.1",
                "port": self.port,
                "logging_level": "INFO",
                "listener": "http",
            },
            "pdus": {
                "shelf": {
                    "driver": "localcmdline",
                    "cmd_on": f"echo on %s >> {told}",
                    "cmd_off": f"echo off %s >> {told}",
                }
            },
        }
        (self.folder / "pdudaemon.conf").write_text(json.dumps(configuration))
        program = str(Path(sys.executable).with_name("pdudaemon"))
        return [program, "--conf", str(self.folder / "pdudaemon.conf")]

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def told(self) -> list[str]:
        return (self.folder / "told").read_text().splitlines()


@pytest.fixture(scope="module")
def daemon() -> Iterator[PduDaemon]:
    with PduDaemon() as running:
        yield running


def test_pdudaemon_is_told_to_switch_and_nothing_is_claimed_of_what_it_cannot_tell(daemon: PduDaemon) -> None:
    driver = driver_for(daemon.url, "pdudaemon", hostname="shelf")
    assert driver.test(Deadline.after(60)) is True
    assert driver.cycle(["4", "5"], Deadline.after(60)) == {"4": None, "5": None}
    assert daemon.told == ["off 4", "off 5", "on 4", "on 5"]
    assert driver.verifies is False
    assert driver.read(["4"], Deadline.after(60)) == {"4": None}


def test_a_switch_that_pdudaemon_does_not_know_is_not_taken_for_done(daemon: PduDaemon) -> None:
    driver = driver_for(daemon.url, "pdudaemon", hostname="elsewhere")
    error = driver.power_off(["4"], Deadline.after(60))["4"]
    assert isinstance(error, Unreachable)
    assert "Invalid request" in str(error)


def test_no_pdudaemon_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        driver_for(f"127.0.0.1:{free_port()}", "pdudaemon", hostname="shelf").test(Deadline.after(3))
