"""`mozpool run`: real commands, real signals, and a device that is given back whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command import environment, mozpool, started, until
from contract_server import ContractServer, Fault

# Says that it runs, then what signals it gets; it ends at SIGTERM and SIGINT with a status of its own.
LISTENER = """
import os, signal, sys, time
def heard(number, frame):
    os.write(1, f"heard {signal.Signals(number).name}\\n".encode())
    sys.exit(40 + number)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, heard)
print("running", flush=True)
while True:
    # One long sleep may miss a signal that comes just before it.
    time.sleep(0.02)
"""
DEAF = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("running", flush=True)
time.sleep(60)
"""


def script(tmp_path: Path, text: str) -> list[str]:
    """Write a program; give the words that run it."""
    path = tmp_path / "program.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def until_there(file: Path, status: int = 0) -> list[str]:
    """Give the words of a command that says that it runs, and ends with a status once a file is there."""
    return ["sh", "-c", f"echo running; until [ -e {file} ]; do sleep 0.05; done; exit {status}"]


def running(process: subprocess.Popen[str]) -> None:
    """Wait until the command says that it runs."""
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; give status, output and errors."""
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2]
    except FileNotFoundError:
        return False


def test_the_command_gets_its_device_and_gives_its_status(server: ContractServer) -> None:
    show = "env | grep ^MOZPOOL_ | sort; exit 7"
    done = mozpool(
        "run",
        "--image",
        "b2g",
        "--set",
        "b2gbase=http://x/?a=b",
        "--",
        "sh",
        "-c",
        show,
        url=server.url,
    )
    assert done.returncode == 7
    assert done.stdout.split() == [
        "MOZPOOL_DEVICE=panda-0001",
        "MOZPOOL_DEVICE_ADDRESS=10.1.0.1",
        "MOZPOOL_DEVICE_FQDN=panda-0001.p1.example.com",
        "MOZPOOL_REQUEST_ID=1",
        f"MOZPOOL_REQUEST_URL={server.url}/api/v2/requests/1/",
        f"MOZPOOL_SERVERS={server.url}",
    ]
    assert server.states() == ["closed"]
    assert server.calls[0].body["boot_config"] == {"b2gbase": "http://x/?a=b"}
    assert server.calls[0].body["duration"] == 600


def test_flags_of_the_command_are_its_own(server: ContractServer) -> None:
    done = mozpool("run", "--image", "b2g", "echo", "--image", "x", "-q", url=server.url)
    assert done.stdout == "--image x -q\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_a_command_that_dies_by_a_signal_gives_128_and_its_number(
    server: ContractServer, number: int
) -> None:
    done = mozpool("run", "--image", "b2g", "--", "sh", "-c", f"kill -{int(number)} $$", url=server.url)
    assert done.returncode == 128 + number
    assert server.states() == ["closed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_command_and_the_device_is_given_back(
    server: ContractServer, tmp_path: Path, number: signal.Signals
) -> None:
    process = started("run", "--image", "b2g", "--", *script(tmp_path, LISTENER), url=server.url)
    running(process)
    process.send_signal(number)
    status, output, errors = ended(process)
    assert (status, output) == (40 + number, f"heard {number.name}\n"), errors
    assert server.states() == ["closed"]


def test_a_signal_reaches_the_commands_children_too(server: ContractServer, tmp_path: Path) -> None:
    program = " ".join(script(tmp_path, LISTENER))
    process = started("run", "--image", "b2g", "--", "sh", "-c", f"{program} & wait; wait", url=server.url)
    running(process)
    process.send_signal(signal.SIGTERM)
    status, output, _ = ended(process)
    assert (status, output) == (143, "heard SIGTERM\n")


def test_a_deaf_command_is_killed_after_its_grace(server: ContractServer, tmp_path: Path) -> None:
    process = started("run", "--image", "b2g", "--grace", "1s", "--", *script(tmp_path, DEAF), url=server.url)
    running(process)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status, _, _ = ended(process)
    assert status == 128 + signal.SIGKILL
    assert time.monotonic() - began >= 1
    assert server.states() == ["closed"]


def test_what_the_command_leaves_running_is_ended(server: ContractServer) -> None:
    done = mozpool(
        "run", "--image", "b2g", "--", "sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!", url=server.url
    )
    assert done.returncode == 0
    assert until(lambda: not alive(int(done.stdout)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_waiting_gives_the_request_back(server: ContractServer, number: int) -> None:
    server.ready_at_once = False
    process = started("run", "--image", "b2g", "--", "echo", "never", url=server.url)
    assert until(lambda: "/api/v2/requests/1/" in server.paths("GET"))
    process.send_signal(number)
    status, output, errors = ended(process)
    assert (status, output) == (128 + number, "")
    assert "every device that fits is in use, place 2, about 1m30s" in errors
    assert server.states() == ["closed"]


def test_a_signal_while_no_server_answers_ends_it_at_once(server: ContractServer) -> None:
    server.faults.extend([Fault(503, {"Retry-After": "15"})] * 2)
    process = started("run", "--image", "b2g", "--", "echo", "never", url=server.url)
    assert until(lambda: bool(server.calls))
    process.send_signal(signal.SIGINT)
    assert ended(process)[:2] == (130, "")
    # Whoever had gone on waiting would have asked again.
    assert len(server.calls) == 1


def test_an_ignored_hangup_stays_ignored(server: ContractServer, tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "mozpool_client",
        "run",
        "--image",
        "b2g",
        "--",
        "sh",
        "-c",
        "echo running; sleep 1",
    ]
    process = started_ignoring_hangup(words, server.url)
    running(process)
    process.send_signal(signal.SIGHUP)
    assert ended(process)[0] == 0


def started_ignoring_hangup(words: list[str], url: str) -> subprocess.Popen[str]:
    """Start a command as nohup does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return subprocess.Popen(
            words, env=environment(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_request_is_renewed_while_the_command_runs(server: ContractServer, tmp_path: Path) -> None:
    end = tmp_path / "end"
    words = ("--image", "b2g", "--duration", "3s", "--", *until_there(end))
    process = started("run", *words, url=server.url)
    assert until(lambda: len(server.renewed_in) >= 2)
    end.touch()
    assert ended(process)[0] == 0
    renewals = [seen.body for seen in server.calls if seen.path.endswith("/renew/")]
    assert renewals == [{"duration": 3}] * len(renewals)


def test_a_lost_device_ends_the_command(server: ContractServer, tmp_path: Path) -> None:
    process = started("run", "--image", "b2g", "--", *script(tmp_path, LISTENER), url=server.url)
    running(process)
    server.move(1, "closed")
    status, output, errors = ended(process)
    assert (status, output) == (40 + signal.SIGTERM, "heard SIGTERM\n")
    assert "the device is lost: request 1 is closed" in errors


@pytest.mark.parametrize("state", ["finding_device", "ready"])
def test_a_device_that_was_exchanged_for_another_is_lost(
    server: ContractServer, tmp_path: Path, state: str
) -> None:
    process = started("run", "--image", "b2g", "--", *script(tmp_path, LISTENER), url=server.url)
    running(process)
    server.move(1, state, device="panda-0002")
    status, output, errors = ended(process)
    assert (status, output) == (40 + signal.SIGTERM, "heard SIGTERM\n")
    assert "the device is lost" in errors
    assert "no longer on panda-0001" in errors
    assert server.states() == ["closed"]


def test_a_lost_device_is_no_success_although_the_command_says_so(server: ContractServer) -> None:
    process = started(
        "run",
        "--image",
        "b2g",
        "--",
        "sh",
        "-c",
        "trap 'exit 0' TERM; echo running; sleep 60 & wait",
        url=server.url,
    )
    running(process)
    server.move(1, "closed")
    assert ended(process)[0] == 1


def test_a_lost_device_may_be_shrugged_off(server: ContractServer, tmp_path: Path) -> None:
    end = tmp_path / "end"
    words = ("--image", "b2g", "--no-abort-on-loss", "--", *until_there(end, status=5))
    process = started("run", *words, url=server.url)
    running(process)
    server.move(1, "closed")
    assert process.stderr is not None
    assert any("the device is lost" in line for line in process.stderr)
    end.touch()
    assert ended(process)[0] == 5


def test_an_outage_of_the_pool_does_not_touch_the_command(server: ContractServer, tmp_path: Path) -> None:
    end = tmp_path / "end"
    process = started("run", "--image", "b2g", "--duration", "3s", "--", *until_there(end), url=server.url)
    running(process)
    server.faults.extend([Fault(0), Fault(503), Fault(0), Fault(502)])
    assert until(lambda: not server.faults and bool(server.renewed_in))
    end.touch()
    status, _, errors = ended(process)
    assert (status, errors.count("lost")) == (0, 0)
    assert server.states() == ["closed"]


def test_a_request_that_fails_while_waiting_is_told(server: ContractServer) -> None:
    server.ready_at_once = False
    process = started("run", "--image", "b2g", "--", "echo", "never", url=server.url)
    assert until(lambda: bool(server.requests))
    server.move(1, "failed_bad_image")
    status, output, errors = ended(process)
    assert (status, output) == (1, "")
    assert "request 1 ended before it was ready: failed_bad_image" in errors


def test_waiting_ends_after_its_timeout_and_gives_the_request_back(server: ContractServer) -> None:
    server.ready_at_once = False
    done = mozpool("run", "--image", "b2g", "--timeout", "5s", "--", "echo", "never", url=server.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not ready after 5 s" in done.stderr
    assert server.states() == ["closed"]


def test_a_command_that_is_not_there_costs_no_device(server: ContractServer, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert mozpool("run", "--image", "b2g", "--", "no-such-program", url=server.url).returncode == 127
    assert mozpool("run", "--image", "b2g", "--", str(plain), url=server.url).returncode == 126
    assert server.calls == []


def test_a_program_of_no_known_format_costs_no_device_for_long(
    server: ContractServer, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(b"\0\1\2")
    odd.chmod(0o755)
    done = mozpool("run", "--image", "b2g", "--", str(odd), url=server.url)
    assert done.returncode == 126
    assert "Traceback" not in done.stderr
    assert server.states() == ["closed"]


def test_when_no_server_answers_the_status_is_3(dead_url: str) -> None:
    done = mozpool("--patience", "1", "run", "--image", "b2g", "--", "echo", "never", url=dead_url)
    assert (done.returncode, done.stdout) == (3, "")
    assert dead_url in done.stderr


def test_a_return_that_can_not_be_made_is_told_with_what_to_do(
    server: ContractServer, tmp_path: Path
) -> None:
    process = started("run", "--image", "b2g", "--", *script(tmp_path, LISTENER), url=server.url)
    running(process)
    server.faults.extend([Fault(403)] * 20)
    process.send_signal(signal.SIGTERM)
    status, _, errors = ended(process)
    assert status == 40 + signal.SIGTERM
    assert "request 1 could not be given back" in errors
    assert "mozpool return 1" in errors


def test_quiet_is_quiet(server: ContractServer) -> None:
    done = mozpool("run", "-q", "--image", "b2g", "--", "true", url=server.url)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_standard_input_is_the_commands(server: ContractServer) -> None:
    assert mozpool("run", "--image", "b2g", "--", "cat", url=server.url, given="hello").stdout == "hello"


def test_the_signal_of_a_closed_terminal_ends_all(server: ContractServer, tmp_path: Path) -> None:
    master, slave = os.openpty()
    words = [
        sys.executable,
        "-m",
        "mozpool_client",
        "run",
        "--image",
        "b2g",
        "--",
        *script(tmp_path, LISTENER),
    ]
    with open(tmp_path / "output", "w+", encoding="utf-8") as output:  # noqa: PTH123
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *words],
            env=environment(server.url),
            stdin=slave,
            stdout=output,
            stderr=output,
        )
        os.close(slave)
        assert until(lambda: "running" in (tmp_path / "output").read_text())
        os.close(master)
        assert process.wait(60) == 40 + signal.SIGHUP
    assert server.states() == ["closed"]
