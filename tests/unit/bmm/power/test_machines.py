"""Servers by Redfish and IPMI, virtual machines by QMP and libvirt, and commands: each against the real thing."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bmm.deadline import Deadline
from bmm.drivers import program
from bmm.drivers.power import PowerDriver, command, make_driver
from bmm.errors import Garbled, HardwareError, Misconfigured, OutOfTime, Refused, Unreachable
from tests.servers.process import free_port
from tests.unit.bmm.power.machines import Bmc, Libvirt, Qemu, SushyEmulator, script
from tests.unit.bmm.power.twins import Twin
from tests.unit.bmm.tcp_server import Talker

REDFISH = {"user": "admin", "password": "sesame", "https": False}
IPMI = {"user": "mozpool", "password": "sesame", "cipher_suite": "3"}


def driver_for(name: str, address: str, **settings: Any) -> PowerDriver:
    driver = make_driver(name, address, {"off_seconds": 0.1, **settings})
    driver.settle_seconds = min(driver.settle_seconds, 1.0)
    return driver


def test_a_system_behind_redfish_is_tested_cycled_and_read() -> None:
    with Twin("redfish", "--lag", "0.3") as service:
        driver = driver_for("redfish", service.address, **REDFISH)
        assert driver.test(Deadline.after(60)) is True
        assert driver.cycle(["1"], Deadline.after(60)) == {"1": None}
        assert service.orders == [("1", False), ("1", True)]
        assert driver.power_off(["2"], Deadline.after(60)) == {"2": None}
        # Off already: told nothing, and no complaint of the service.
        assert driver.power_off(["2"], Deadline.after(60)) == {"2": None}
        assert driver.read(["1", "2"], Deadline.after(60)) == {"1": True, "2": False}


def test_fifty_systems_that_show_what_they_do_seconds_later_are_all_cycled() -> None:
    with SushyEmulator(50) as service:
        driver = make_driver("redfish", service.url, REDFISH)
        assert driver.test(Deadline.after(30)) is True
        # What lags is the service; a busy machine may take its time, too.
        found = driver.cycle(service.systems, Deadline.after(240))
        assert found == dict.fromkeys(service.systems)
        assert driver.read(service.systems, Deadline.after(60)) == dict.fromkeys(service.systems, True)


@pytest.mark.parametrize(
    ("words", "settings", "outlet", "kind", "told"),
    [
        ((), {**REDFISH, "password": "wrong"}, "1", Misconfigured, "401"),
        ((), REDFISH, "7", Misconfigured, "not found"),
        (("--resets", "On,GracefulShutdown"), REDFISH, "1", Misconfigured, "cannot be forced off"),
        (("--stuck", "1"), REDFISH, "1", Refused, "still reads on"),
    ],
)
def test_redfish_failures_are_named_by_what_to_do(
    words: tuple[str, ...], settings: dict[str, Any], outlet: str, kind: type[HardwareError], told: str
) -> None:
    with Twin("redfish", *words) as service:
        error = driver_for("redfish", service.address, **settings).power_off([outlet], Deadline.after(60))[
            outlet
        ]
    assert type(error) is kind
    assert told in str(error)


def test_a_redfish_service_that_is_silent_is_given_up_at_the_deadline() -> None:
    with Talker() as silent:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no answer in time"):
            driver_for("redfish", silent.address, **REDFISH).test(Deadline.after(1))
        assert time.monotonic() - began < 20
    with pytest.raises(Unreachable):
        driver_for("redfish", f"127.0.0.1:{free_port()}", **REDFISH).test(Deadline.after(1))


def test_a_service_that_takes_sessions_only_is_given_one_and_is_left_with_none() -> None:
    with Twin("redfish", "--sessions-only") as service:
        driver = driver_for("redfish", service.address, **REDFISH)
        assert driver.test(Deadline.after(60)) is True
        assert driver.cycle(["1", "2"], Deadline.after(60)) == {"1": None, "2": None}
        assert service.sessions == ["begun", "ended"] * 2
        wrong = driver_for("redfish", service.address, **{**REDFISH, "password": "wrong"})
        error = wrong.power_off(["1"], Deadline.after(60))["1"]
        assert isinstance(error, Misconfigured)
        assert "neither with a call nor for a session" in str(error)


def told_of(name: str, path: str) -> bytes:
    """What a service says at a path that has one system, `name`, wherever one is asked for."""
    system = {"Id": name, "Name": name, "PowerState": "On", "@odata.id": f"/redfish/v1/Systems/{name}"}
    root = {
        "Id": "r",
        "Name": "r",
        "RedfishVersion": "1.6.0",
        "Systems": {"@odata.id": "/redfish/v1/Systems"},
    }
    body = json.dumps(root if path.endswith("/v1/") else system).encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_an_answer_about_another_system_is_not_taken_for_that_of_the_one_that_was_asked_for() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(told_of("B", connection.recv(65536).decode().split()[1]))
        connection.shutdown(socket.SHUT_WR)

    with Talker(talk) as server:
        driver = driver_for("redfish", server.address, **REDFISH)
        assert driver.read(["B"], Deadline.after(60)) == {"B": True}
        error = driver.read(["A"], Deadline.after(60))["A"]
    assert isinstance(error, Garbled)
    assert "was asked for A and told of 'B'" in str(error)


def test_a_service_that_sends_us_to_another_host_sends_nobody_there() -> None:
    visited: list[bytes] = []
    with Talker(lambda connection: visited.append(connection.recv(65536))) as elsewhere:
        away = f"HTTP/1.1 302 Found\r\nLocation: http://{elsewhere.address}/\r\nContent-Length: 0\r\n\r\n"

        def talk(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(away.encode())
            connection.shutdown(socket.SHUT_WR)

        with Talker(talk) as server, pytest.raises(Unreachable, match="sends us to"):
            driver_for("redfish", server.address, **REDFISH).test(Deadline.after(3))
    assert visited == []


@pytest.fixture(scope="module")
def bmc() -> Iterator[Bmc]:
    with Bmc() as running:
        yield running


def test_a_bmc_is_tested_cycled_and_read_by_ipmi(bmc: Bmc) -> None:
    driver = driver_for("ipmi", bmc.url, **IPMI)
    assert driver.test(Deadline.after(60)) is True
    assert driver.cycle(["chassis"], Deadline.after(60)) == {"chassis": None}
    assert bmc.told == ["0", "1"]
    assert driver.power_off(["chassis"], Deadline.after(60)) == {"chassis": None}
    assert driver.read(["chassis"], Deadline.after(60)) == {"chassis": False}


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"user": "nobody"}])
def test_a_bmc_that_does_not_accept_the_login_says_so(bmc: Bmc, change: dict[str, str]) -> None:
    error = driver_for("ipmi", bmc.url, **{**IPMI, **change}).power_off(["chassis"], Deadline.after(60))[
        "chassis"
    ]
    assert isinstance(error, Misconfigured)
    assert "does not accept our IPMI login" in str(error)


def test_the_password_of_a_bmc_is_in_no_argument_list(bmc: Bmc, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script(tmp_path, "ipmitool", f'echo "$@" >{seen}; echo "Chassis Power is on"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        assert driver_for("ipmi", bmc.url, **IPMI).read(["chassis"], Deadline.after(60)) == {"chassis": True}
    assert "-E" in seen.read_text()
    assert "sesame" not in seen.read_text()


def ipmitool(folder: Path, patch: pytest.MonkeyPatch, text: str) -> PowerDriver:
    """Put a program in the place of ipmitool; in it $at is a folder, and the last word is what is asked."""
    script(folder, "ipmitool", f"at={folder}; for verb; do :; done\n{text}")
    (folder / "power").write_text("on\n")
    patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return driver_for("ipmi", "127.0.0.1", **IPMI)


HOST = """case $verb in
  status) echo "Chassis Power is $(cat $at/power)" ;;
  on) echo on >$at/power; echo "Chassis Power Control: Up/On" ;;
  off) if [ "$(cat $at/power)" = off ]; then
         echo "Set Chassis Power Control to Down/Off failed: Command not supported in present state" >&2; exit 1
       fi
       echo off >$at/power; echo "Chassis Power Control: Down/Off" ;;
esac"""


def test_a_host_that_is_off_already_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = ipmitool(tmp_path, monkeypatch, HOST)
    assert driver.power_off(["chassis"], Deadline.after(60)) == {"chassis": None}
    assert driver.power_off(["chassis"], Deadline.after(60)) == {"chassis": None}
    assert driver.cycle(["chassis"], Deadline.after(60)) == {"chassis": None}
    assert (tmp_path / "power").read_text() == "on\n"


@pytest.mark.parametrize(
    "words",
    [
        "> Error: no response from RAKP 1 message\nSet Session Privilege Level to OPERATOR failed: Insufficient",
        "> RAKP 2 HMAC is invalid\nError: Unable to establish IPMI v2 / RMCP+ session",
        "Error in open session response message : insufficient resources for session",
    ],
)
def test_a_session_that_fails_once_in_passing_is_tried_again(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = f'if [ ! -e $at/once ]; then : >$at/once; printf "{words}" >&2; exit 1; fi\n{HOST}'
    driver = ipmitool(tmp_path, monkeypatch, once)

    def again() -> None:
        (tmp_path / "once").unlink(missing_ok=True)

    assert driver.test(Deadline.after(60)) is True
    again()
    assert driver.read(["chassis"], Deadline.after(60)) == {"chassis": True}
    again()
    assert driver.cycle(["chassis"], Deadline.after(60)) == {"chassis": None}
    again()
    assert driver.power_off(["chassis"], Deadline.after(60)) == {"chassis": None}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("> Error : unauthorized name", Misconfigured),
        ("Set Session Privilege Level to OPERATOR failed: Insufficient privilege level", Misconfigured),
        (
            "> Error: no response from RAKP 1 message\nSet Session Privilege Level to OPERATOR failed",
            Unreachable,
        ),
        ("Unable to get Chassis Power Status", Unreachable),
        ("Get Chassis Power Status failed: Node busy", Unreachable),
        ("x" * 1000 + " RAKP 2 HMAC is invalid", Misconfigured),
    ],
)
def test_what_ipmitool_says_is_named_by_what_to_do(
    words: str, kind: type[HardwareError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = ipmitool(tmp_path, monkeypatch, f'printf "{words}" >&2; exit 1')
    assert type(driver.read(["chassis"], Deadline.after(60))["chassis"]) is kind


def test_a_host_that_refuses_to_go_off_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuses = 'case $verb in status) echo "Chassis Power is on";; *) '
    refuses += 'echo "Set Chassis Power Control to Down/Off failed: Insufficient room" >&2; exit 1;; esac'
    driver = ipmitool(tmp_path, monkeypatch, refuses)
    assert type(driver.power_off(["chassis"], Deadline.after(60))["chassis"]) is Refused


def test_no_bmc_at_the_address_is_unreachable() -> None:
    began = time.monotonic()
    error = driver_for("ipmi", f"127.0.0.1:{free_port()}", **IPMI).read(["chassis"], Deadline.after(3))[
        "chassis"
    ]
    assert isinstance(error, Unreachable)
    assert time.monotonic() - began < 20


def test_a_program_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    error = driver_for("ipmi", "127.0.0.1", **IPMI).read(["chassis"], Deadline.after(3))["chassis"]
    assert isinstance(error, Misconfigured)
    assert str(error) == "the program ipmitool is not installed on this host"


@pytest.fixture(scope="module")
def libvirt() -> Iterator[str]:
    with Libvirt() as daemon:
        held = daemon.stay_connected()
        try:
            yield daemon.url
        finally:
            held.communicate()


def test_a_domain_of_libvirt_is_tested_cycled_and_read(libvirt: str) -> None:
    driver = driver_for("libvirt", libvirt)
    assert driver.test(Deadline.after(60)) is True
    assert driver.cycle(["test"], Deadline.after(60)) == {"test": None}
    assert driver.power_off(["test"], Deadline.after(60)) == {"test": None}
    assert driver.read(["test"], Deadline.after(60)) == {"test": False}
    assert driver.power_on(["test"], Deadline.after(60)) == {"test": None}
    assert driver.read(["test"], Deadline.after(60)) == {"test": True}


def test_a_domain_that_is_not_there_and_a_libvirt_that_is_not_there_differ(libvirt: str) -> None:
    missing = driver_for("libvirt", libvirt).read(["nobody"], Deadline.after(60))["nobody"]
    assert isinstance(missing, Misconfigured)
    with pytest.raises(Unreachable):
        driver_for("libvirt", "test+unix:///default?socket=/nowhere/at-all").test(Deadline.after(60))


@pytest.mark.parametrize(
    "address",
    [
        "qemu+ext:///system?command=/bin/sh",
        "qemu+ssh://root@vmhost/system?netcat=/bin/sh",
        "qemu+ssh://-oProxyCommand=x/system",
        "qemu+ssh://root:secret@vmhost/system",
        "qemu:///system#x",
        "qemu:///sys tem",
        "esx://vmhost/system",
        "vmhost",
        "-c",
        "",
    ],
)
def test_an_address_that_would_have_virsh_do_anything_else_is_refused(address: str) -> None:
    with pytest.raises(Misconfigured):
        driver_for("libvirt", address).check_address(address)


@pytest.mark.parametrize(
    "address",
    ["qemu:///system", "qemu+ssh://root@vmhost.example.com:2222/system", "qemu+tls://10.1.0.9/system"],
)
def test_addresses_that_libvirt_documents_are_taken(address: str) -> None:
    assert driver_for("libvirt", address).check_address(address) == address


def test_a_machine_of_qemu_is_cycled_and_read_by_its_monitor() -> None:
    with Qemu() as machine:
        host, _, port = machine.url.partition(":")
        driver = driver_for("qemu", host)
        assert driver.read([port], Deadline.after(60)) == {port: False}
        assert driver.power_on([port], Deadline.after(60)) == {port: None}
        assert driver.cycle([port], Deadline.after(60)) == {port: None}
        assert driver.read([port], Deadline.after(60)) == {port: True}
        assert driver.power_off([port], Deadline.after(60)) == {port: None}
        assert driver.test(Deadline.after(60)) is True


def test_what_is_no_monitor_is_told_from_nobody() -> None:
    with Talker(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as other:
        port = str(other.port)
        assert isinstance(driver_for("qemu", "127.0.0.1").read([port], Deadline.after(3))[port], Garbled)
    with Talker() as silent:
        port = str(silent.port)
        assert isinstance(driver_for("qemu", "127.0.0.1").read([port], Deadline.after(1))[port], OutOfTime)
    port = str(free_port())
    assert type(driver_for("qemu", "127.0.0.1").read([port], Deadline.after(3))[port]) is Unreachable


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    """Allow a command that keeps each outlet's state in a file, and one that cannot tell."""
    switch = script(tmp_path, "switch", f'printf "%s" "$2" >"{tmp_path}/$1"; [ "$1" != broken ]')
    state = script(tmp_path, "state", f'cat "{tmp_path}/$1"')
    lists = {"on": [switch, "{outlet}", "on"], "off": [switch, "{outlet}", "off"]}
    command.allow({"shelf": {**lists, "state": [state, "{outlet}"]}, "blind": lists})
    yield tmp_path
    command.allow({})


def test_a_command_switches_and_another_tells(shelf: Path) -> None:
    driver = driver_for("command", "localhost", command="shelf")
    assert driver.cycle(["lamp", "fan"], Deadline.after(60)) == {"lamp": None, "fan": None}
    assert (shelf / "lamp").read_text() == "on"
    assert driver.verifies is True
    assert driver_for("command", "localhost", command="blind").verifies is False
    error = driver.power_off(["broken"], Deadline.after(60))["broken"]
    assert isinstance(error, Refused)


@pytest.mark.parametrize("outlet", ["a;b", "$(id)", "a b", "-x", "../a", "a\nb", ""])
def test_an_outlet_is_one_argument_of_plain_characters(shelf: Path, outlet: str) -> None:
    driver = driver_for("command", "localhost", command="shelf")
    assert isinstance(driver.power_off([outlet], Deadline.after(60))[outlet], Misconfigured)


def test_only_what_the_installation_allows_can_be_chosen(shelf: Path) -> None:
    with pytest.raises(Misconfigured, match="there are: blind, shelf"):
        driver_for("command", "localhost", command="/bin/sh")


def test_a_program_learns_nothing_of_our_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOZPOOL_SECRET_KEY", "hush")
    monkeypatch.setenv("TZ", "UTC")
    told = program.run([script(tmp_path, "tell", "env")], Deadline.after(60), {"IPMI_PASSWORD": "own"}).out
    names = {line.partition("=")[0] for line in told.splitlines()}
    assert {"PATH", "TZ", "LC_ALL", "IPMI_PASSWORD"} <= names
    # The shell adds some of its own.
    assert names <= {"PATH", "LANG", "HOME", "TZ", "LC_ALL", "IPMI_PASSWORD", "PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_program_that_prints_without_end_is_ended(tmp_path: Path, stream: str) -> None:
    with pytest.raises(Garbled, match="printed more than 65536 bytes"):
        program.run([script(tmp_path, "chat", f"yes >&{stream}")], Deadline.after(60))


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    hang = script(tmp_path, "hang", f"sleep 60 & echo $! >{tmp_path}/child; wait")
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        program.run([hang], Deadline.after(0.5))
    assert time.monotonic() - began < 30
    child = (tmp_path / "child").read_text().strip()
    ended = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False)
    assert ended.stdout.strip()[:1] in ("", "Z")


def test_what_a_person_switches_is_never_claimed_to_be_done_by_a_driver() -> None:
    driver = make_driver("manual", "shelf 3, behind the door")
    error = driver.power_off(["plug 4"], Deadline.after(1))["plug 4"]
    assert isinstance(error, Misconfigured)
    assert "is switched by hand" in str(error)
    assert driver.read(["plug 4"], Deadline.after(1)) == {"plug 4": None}
