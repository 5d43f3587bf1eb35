"""The command as a process: what it prints, for people, pipes and programs, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from command import mozpool, started
from contract_server import ContractServer, Fault
from mozpool_client.cli.app import main

COMMANDS = sorted(main.commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = mozpool(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")


def test_the_commands_are_these() -> None:
    assert COMMANDS == [
        "devices", "images", "list", "log", "login", "logout", "power-cycle", "renew", "request", "return", "run",
        "show", "whoami",
    ]  # fmt: skip


def test_a_request_is_filed_with_all_options(server: ContractServer) -> None:
    server.ready_at_once = False
    wanted = "--device panda-0001 --env staging --hardware panda --tag a --tag b --set b2gbase=http://x/"
    how = "--duration 2h30m --assignee me --priority -3 --json"
    done = mozpool("request", "b2g", *wanted.split(), *how.split(), url=server.url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == server.requests[1]
    assert server.calls[0].body == {
        "image": "b2g",
        "device": "panda-0001",
        "environment": "staging",
        "hardware": "panda",
        "tags": ["a", "b"],
        "boot_config": {"b2gbase": "http://x/"},
        "duration": 9000,
        "assignee": "me",
        "priority": -3,
    }


def test_what_waits_says_why(server: ContractServer) -> None:
    server.ready_at_once = False
    shown = mozpool("request", "b2g", "--max-wait", "0", url=server.url).stdout
    assert "state\tfinding_device\n" in shown
    assert "waits\tevery device that fits is in use, place 2, about 1m30s, waits until " in shown
    assert "left\t1h from when it is ready\n" in shown
    assert server.calls[0].body["max_wait"] == 0


def test_a_request_waits_a_little_longer_than_the_command_that_filed_it(server: ContractServer) -> None:
    mozpool("request", "b2g", "--wait", "--timeout", "20s", url=server.url)
    assert server.calls[0].body["max_wait"] == 80
    mozpool("run", "--image", "b2g", "--timeout", "20s", "--max-wait", "2h", "--", "true", url=server.url)
    assert [seen.body["max_wait"] for seen in server.calls if seen.path.endswith("/requests/")] == [80, 7200]


def test_request_waits_until_the_device_is_ready(server: ContractServer) -> None:
    server.ready_at_once = False
    process = started("request", "b2g", "--wait", url=server.url)
    assert process.stderr is not None
    assert "request 1 is finding_device" in process.stderr.readline()
    server.move(1, "ready")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "device\tpanda-0001\nfqdn\tpanda-0001.p1.example.com\naddress\t10.1.0.1\n" in output
    assert server.states() == ["ready"]


def test_who_waits_no_longer_gives_the_request_back(server: ContractServer) -> None:
    server.ready_at_once = False
    assert mozpool("request", "b2g", "--wait", "--timeout", "1s", url=server.url).returncode == 1
    assert server.states() == ["closed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_wait_gives_the_request_back(server: ContractServer, number: int) -> None:
    server.ready_at_once = False
    process = started("request", "b2g", "--wait", url=server.url)
    assert process.stderr is not None
    assert "request 1 is finding_device" in process.stderr.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert server.states() == ["closed"]


def test_requests_are_shown_renewed_and_returned(server: ContractServer) -> None:
    for _ in range(2):
        mozpool("request", "b2g", url=server.url)
    assert mozpool("renew", "1", "--duration", "90m", url=server.url).stdout == "request 1 has 1h30m left\n"
    assert mozpool("return", "1", "2", url=server.url).stdout == "request 1 is closed\nrequest 2 is closed\n"
    assert "state\tclosed\n" in mozpool("show", "2", url=server.url).stdout
    assert mozpool("renew", "1", url=server.url).returncode == 1


def test_lists_are_tab_separated_in_a_pipe(server: ContractServer) -> None:
    mozpool("request", "b2g", url=server.url)
    lines = mozpool("list", url=server.url).stdout.splitlines()
    assert lines[0].split("\t") == ["id", "state", "image", "device", "assignee", "left", "waits"]
    assert lines[1].split("\t") == ["1", "ready", "b2g", "panda-0001", "tester", "1h", ""]
    assert server.calls[-1].query == {"open": ["true"], "ordering": ["-id"], "limit": ["100"]}
    devices = mozpool("devices", "--free", "--env", "staging", url=server.url).stdout.splitlines()
    assert [line.split("\t")[0] for line in devices] == ["name", *(f"panda-{n:04}" for n in range(1, 8))]
    assert mozpool("images", url=server.url).stdout == "name\tneeds\treusable\nb2g\tb2gbase\tyes\n"


@pytest.mark.parametrize(
    "words", [["list"], ["devices"], ["images"], ["whoami"], ["show", "1"], ["log", "1"]]
)
def test_json_is_what_the_server_said(server: ContractServer, words: list[str]) -> None:
    server.file({"image": "b2g"}, None)
    done = mozpool(*words, "--json", url=server.url)
    found = json.loads(done.stdout)
    assert found
    assert isinstance(found, (list, dict))


def test_people_get_a_table_that_fits_their_terminal(server: ContractServer) -> None:
    server.file({"image": "b2g", "assignee": "[red]me[/red] \x1b[31mred"}, None)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", in_a_terminal(["list"], server.url))
    assert re.search(r"Id +State +Image +Device", shown)
    assert "[red]me[/red]" in shown
    assert r"\x1b[31mred" in shown


def in_a_terminal(words: list[str], url: str) -> str:
    """Run the command with a terminal for its output."""
    master, slave = os.openpty()
    with subprocess.Popen(
        ["script", "-qec", " ".join(["$PYTHON", "-m", "mozpool_client", *words]), "/dev/null"],
        env={**_environment(url), "TERM": "xterm", "NO_COLOR": ""},
        stdin=slave,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        output = process.communicate(timeout=60)[0]
    os.close(master)
    os.close(slave)
    return output


def _environment(url: str) -> dict[str, str]:
    import sys  # noqa: PLC0415

    from command import environment  # noqa: PLC0415

    return environment(url, PYTHON=sys.executable)


def test_the_log_of_a_request_is_the_oldest_first(server: ContractServer) -> None:
    mozpool("request", "b2g", url=server.url)
    mozpool("return", "1", url=server.url)
    lines = mozpool("log", "1", url=server.url).stdout.splitlines()
    assert [line.rpartition("entering state ")[2] for line in lines] == ["finding_device", "ready", "closed"]
    assert len(mozpool("log", "1", "-n", "2", url=server.url).stdout.splitlines()) == 2


def test_a_followed_log_ends_with_its_request(server: ContractServer) -> None:
    server.file({"image": "b2g"}, None)
    process = started("log", "-f", "1", url=server.url)
    assert process.stdout is not None
    old = [process.stdout.readline(), process.stdout.readline()]
    server.move(1, "closed")
    # read(), not communicate(): that passes by what readline() took in beyond its line.
    lines = [*old, *process.stdout.read().splitlines()]
    assert [line.strip().rpartition("state ")[2] for line in lines] == ["finding_device", "ready", "closed"]
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_followed_log_of_a_device_ends_by_ctrl_c(server: ContractServer) -> None:
    process = started("log", "-f", "--json", "panda-0001", url=server.url)
    assert process.stdout is not None
    server.wait_for_stream()
    server.note("hello", device="panda-0001")
    assert json.loads(process.stdout.readline())["message"] == "hello"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in errors


def test_a_power_cycle_is_asked_for_and_waited_for(server: ContractServer) -> None:
    done = mozpool("power-cycle", "panda-0001", "--netboot", "x", "--set", "a=1", "--wait", url=server.url)
    assert done.stdout == "operation 7 on panda-0001 is done\n"
    assert server.calls[0].body == {"netboot": "x", "boot_config": {"a": "1"}}


def test_login_stores_a_token_that_nobody_else_can_read(server: ContractServer, tmp_path: Path) -> None:
    done = mozpool("login", "--name", "ada", "--password-stdin", url=server.url, given="secret words\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("You are ada (operator)")
    assert "mzp_made" not in done.stdout
    path = tmp_path / "config" / "mozpool" / "tokens.json"
    assert json.loads(path.read_text(encoding="utf-8")) == {server.url: "mzp_made"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    mozpool("whoami", url=server.url)
    assert server.calls[-1].headers["authorization"] == "Bearer mzp_made"
    mozpool("whoami", url=server.url, variables={"MOZPOOL_TOKEN": "mzp_other"})
    assert server.calls[-1].headers["authorization"] == "Bearer mzp_other"
    mozpool("--token", "mzp_flag", "whoami", url=server.url, variables={"MOZPOOL_TOKEN": "mzp_other"})
    assert server.calls[-1].headers["authorization"] == "Bearer mzp_flag"
    assert mozpool("logout", url=server.url).stdout == "The token is forgotten.\n"
    assert mozpool("logout", url=server.url).stdout == "There was no token.\n"
    assert path.read_text(encoding="utf-8").strip() == "{}"


def test_a_token_that_others_can_read_is_refused_until_it_is_forgotten(
    server: ContractServer, tmp_path: Path
) -> None:
    folder = tmp_path / "config" / "mozpool"
    folder.mkdir(parents=True)
    (folder / "tokens.json").write_text(json.dumps({server.url: "mzp_x"}))
    (folder / "tokens.json").chmod(0o644)
    done = mozpool("whoami", url=server.url)
    assert done.returncode == 2
    assert "chmod 600" in done.stderr
    assert server.calls == []
    assert mozpool("logout", url=server.url).returncode == 0
    assert mozpool("whoami", url=server.url).returncode == 0


def test_a_wrong_password_stores_nothing(server: ContractServer, tmp_path: Path) -> None:
    done = mozpool("login", "--name", "ada", "--password-stdin", url=server.url, given="wrong\n")
    assert done.returncode == 2
    assert "name or password is wrong" in done.stderr
    assert not (tmp_path / "config" / "mozpool" / "tokens.json").exists()


def test_servers_come_from_flags_then_the_environment_then_the_file(
    server: ContractServer, dead_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "config.toml").write_text(f'servers = ["{server.url}/"]\nduration = "20m"\n')
    assert mozpool("--config", str(folder), "request", "b2g").returncode == 0
    assert server.calls[-1].body["duration"] == 1200
    assert mozpool("request", "b2g", variables={"MOZPOOL_CONFIG": str(folder)}).returncode == 0
    assert mozpool("--config", str(folder), "--patience", "0", "whoami", url=dead_url).returncode == 3
    assert mozpool("--server", server.url, "whoami", url=dead_url).returncode == 0
    assert mozpool("whoami", url=f"{dead_url}, {server.url}").returncode == 0


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("servers = [", "config.toml"),
        ('server = "x"', "'server' is not known there"),
        ("servers = 5", "servers should be a list"),
        ('servers = ["x"]', "'x' is no server"),
        ('servers = ["http://x"]\nduration = "soon"', "duration"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_told(tmp_path: Path, written: str, told: str) -> None:
    (tmp_path / "config.toml").write_text(written)
    done = mozpool("--config", str(tmp_path), "whoami")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["request"],
        ["request", "b2g", "--duration", "soon"],
        ["request", "b2g", "--set", "x"],
        ["request", "b2g", "--timeout", "5s"],
        ["request", "b2g", "--priority", "11"],
        ["show", "x"],
        ["return"],
        ["run", "--image", "b2g"],
        ["run", "true"],
        ["no-such-command"],
        ["--patience", "-1", "whoami"],
    ],
)
def test_a_wrong_call_ends_with_2_and_asks_nobody(server: ContractServer, words: list[str]) -> None:
    done = mozpool(*words, url=server.url)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert server.calls == []


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["request", "unheard-of"], 2, "image: there is no image 'unheard-of'"),
        (["request", "b2g", "--tag", "impossible"], 1, "no device has the tag impossible"),
        (["request", "b2g", "--device", "taken"], 1, "taken"),
        (["show", "99"], 1, "there is no request 99"),
    ],
)
def test_refusals_are_told_in_one_line(
    server: ContractServer, words: list[str], status: int, told: str
) -> None:
    done = mozpool(*words, url=server.url)
    assert (done.returncode, done.stderr) == (status, f"mozpool: {told}\n")


def test_what_the_server_says_can_not_move_the_cursor(server: ContractServer) -> None:
    problem = {"code": "conflict", "title": "x", "detail": "bad \x1b[2J[red]thing"}
    server.faults.append(Fault(409, body=json.dumps(problem).encode()))
    assert mozpool("whoami", url=server.url).stderr == "mozpool: bad \\x1b[2J[red]thing\n"


def test_a_reader_that_goes_away_ends_it_without_a_word(server: ContractServer) -> None:
    process = started("log", "-f", "panda-0001", url=server.url)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    server.wait_for_stream()
    server.note("one", device="panda-0001")
    server.note("two", device="panda-0001")
    assert process.wait(60) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there(shell: str) -> None:
    done = mozpool(variables={"_MOZPOOL_COMPLETE": f"{shell}_source"})
    assert "complet" in done.stdout
