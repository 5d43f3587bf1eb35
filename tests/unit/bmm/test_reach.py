"""Is a device there? Real ICMP and real TCP; where ICMP needs another world, in a network namespace of its own."""

import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bmm.deadline import Deadline
from bmm.drivers.address import check_host, parse_address, resolve
from bmm.drivers.reach import fping, ping, tcp_answers
from bmm.errors import Misconfigured, OutOfTime
from tests.unit.bmm.tcp_server import Talker

ROOT = Path(__file__).parents[3]
# A user and network namespace: no route to anywhere, and no ping_group_range that would allow ICMP.
ALONE = ["unshare", "--user", "--map-root-user", "--net"]
WITHOUT_RIGHTS = [*ALONE, "setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def can_be_alone() -> bool:
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        return False
    return subprocess.run([*WITHOUT_RIGHTS, "true"], capture_output=True, check=False).returncode == 0


alone = pytest.mark.skipif(not can_be_alone(), reason="this machine gives no user and network namespaces")


def run_alone(world: list[str], code: str, **environment: str) -> str:
    program = (
        "from bmm.deadline import Deadline\nfrom bmm.drivers.reach import fping, ping\n"
        + textwrap.dedent(code)
    )
    done = subprocess.run(
        [*world, sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_loopback_answers_a_ping_at_once() -> None:
    started = time.monotonic()
    assert ping("127.0.0.1", Deadline.after(60)) is True
    assert time.monotonic() - started < 4


def test_a_name_is_pinged_like_an_address() -> None:
    assert ping("localhost", Deadline.after(60)) is True


@alone
def test_an_absent_device_is_absent_within_the_deadline() -> None:
    code = """
        import time
        started = time.monotonic()
        print(ping("127.0.0.1", Deadline.after(0.5)), time.monotonic() - started < 0.6)
    """
    assert run_alone(ALONE, code) == "False True"


@alone
def test_without_any_right_to_send_icmp_the_error_says_what_to_do() -> None:
    code = """
        import os
        from bmm.errors import Misconfigured
        os.environ["PATH"] = "/nonexistent"
        try:
            ping("127.0.0.1", Deadline.after(60))
        except Misconfigured as error:
            print(error)
    """
    assert run_alone(WITHOUT_RIGHTS, code) == (
        "no ICMP here: give this user's group to net.ipv4.ping_group_range, or the process CAP_NET_RAW, "
        "or install fping"
    )


@alone
@pytest.mark.skipif(shutil.which("fping") is None, reason="fping is not installed")
def test_an_fping_that_may_not_send_is_misconfigured_and_named() -> None:
    code = """
        from bmm.errors import Misconfigured
        try:
            ping("127.0.0.1", Deadline.after(60))
        except Misconfigured as error:
            print(error)
    """
    assert run_alone(WITHOUT_RIGHTS, code).startswith(f"{shutil.which('fping')} ")


@pytest.mark.skipif(shutil.which("fping") is None, reason="fping is not installed")
def test_fping_answers_for_loopback() -> None:
    assert fping("127.0.0.1", Deadline.after(60)) is True


@alone
@pytest.mark.skipif(shutil.which("fping") is None, reason="fping is not installed")
def test_fping_finds_an_absent_device_absent_within_the_deadline() -> None:
    code = """
        import time
        started = time.monotonic()
        print(fping("127.0.0.1", Deadline.after(0.6)), time.monotonic() - started < 0.8)
    """
    assert run_alone(ALONE, code) == "False True"


@pytest.mark.parametrize(
    "hostile",
    ["-h", "--help", "127.0.0.1; reboot", "$(reboot)", "a\nb", "a b", "", "300.1.1.1", "a" * 64, "h\u00e9"],
)
def test_what_is_no_host_name_is_handed_to_nothing(hostile: str) -> None:
    with pytest.raises(Misconfigured):
        ping(hostile, Deadline.after(60))
    with pytest.raises(Misconfigured):
        tcp_answers(hostile, 80, Deadline.after(60))


def test_a_port_that_listens_answers() -> None:
    with Talker() as talker:
        assert tcp_answers("127.0.0.1", talker.port, Deadline.after(60)) is True
        assert tcp_answers("localhost", talker.port, Deadline.after(60)) is True


def test_a_port_that_refuses_does_not_answer() -> None:
    with Talker() as talker:
        talker.stop()
        assert tcp_answers("127.0.0.1", talker.port, Deadline.after(60)) is False


def test_a_port_that_stays_silent_does_not_answer_within_the_deadline() -> None:
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        # A backlog of nought is full after one connection: the kernel then drops whoever else knocks.
        full.listen(0)
        waiting.connect(full.getsockname())
        started = time.monotonic()
        assert tcp_answers("127.0.0.1", full.getsockname()[1], Deadline.after(0.3)) is False
        assert 0.25 <= time.monotonic() - started < 20


def test_nothing_is_said_of_a_device_that_there_was_no_time_to_try() -> None:
    with pytest.raises(OutOfTime):
        tcp_answers("127.0.0.1", 80, Deadline.after(0))
    with pytest.raises(OutOfTime):
        ping("127.0.0.1", Deadline.after(0))


def test_a_port_that_cannot_be_is_misconfigured() -> None:
    for port in (0, -1, 65536):
        with pytest.raises(Misconfigured, match=f"port {port} is not between 1 and 65535"):
            tcp_answers("127.0.0.1", port, Deadline.after(60))


@alone
def test_a_name_that_does_not_resolve_is_our_trouble_and_not_an_absent_device() -> None:
    code = """
        from bmm.errors import Unreachable
        try:
            ping("panda-0001.invalid", Deadline.after(60))
        except Unreachable as error:
            print(error)
    """
    assert run_alone(ALONE, code).startswith("panda-0001.invalid: the name ")


def test_an_address_is_a_host_and_perhaps_a_port() -> None:
    assert parse_address("relay-1.example.org", 2101) == ("relay-1.example.org", 2101)
    assert parse_address("10.1.2.3:99", 2101) == ("10.1.2.3", 99)
    for wrong in ("relay-1:", "relay-1:port", "relay-1:\u0661", "a:b:1", ":2101"):
        with pytest.raises(Misconfigured):
            parse_address(wrong, 2101)


@pytest.mark.parametrize("host", ["panda-0001", "panda-0001.p1.releng.example.org", "10.0.0.1", "1panda.org"])
def test_host_names_and_addresses_fit_the_grammar(host: str) -> None:
    assert check_host(host) == host


def test_an_address_needs_no_name_service_and_no_time() -> None:
    assert resolve("127.0.0.7", Deadline.after(0)) == "127.0.0.7"
    with pytest.raises(OutOfTime):
        resolve("localhost", Deadline.after(0))
