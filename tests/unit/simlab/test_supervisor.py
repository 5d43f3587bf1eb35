"""The lab as people start it: processes, control socket, client, command, and an end that leaves nothing."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simlab.control import Calls, Entry, LabControl, RelayCounters
from simlab.fields import LabError
from tests.unit.simlab.lab import Description, addresses, wait_until

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Process:
    """A lab that has said `ready`."""

    process: "subprocess.Popen[str]"
    ready_line: str
    ready_file: Path
    control: LabControl

    def workers(self) -> list[int]:
        """The process ids of its children."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


@pytest.fixture
def two_racks(described: Description) -> Description:
    """Two relay boards with a device each, so that each worker has one."""
    host, address = addresses()
    described["relay_boards"].append(described["relay_boards"][0] | {"name": "relay-2", "host": host})
    described["devices"].append(
        described["devices"][0]
        | {"name": "panda-0002", "mac": "020000000002", "address": address, "relay_board": "relay-2"}
    )
    return described


def arguments(described: Description, tmp_path: Path) -> list[str]:
    lab = tmp_path / "LAB.json"
    lab.write_text(json.dumps(described), encoding="utf-8")
    return [sys.executable, "-m", "simlab", str(lab), "--ready-file", str(tmp_path / "ready")]


@contextlib.contextmanager
def started(described: Description, tmp_path: Path) -> Iterator[Process]:
    process = subprocess.Popen(
        arguments(described, tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            control = LabControl(described["control"])
            yield Process(process, process.stdout.readline(), tmp_path / "ready", control)
        finally:
            process.kill()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        # The second where it ends between the opening of the file and its reading.
        return False
    return state != "Z"


def ctl(described: Description, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "simlab.ctl", described["control"], *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_lab_says_ready_and_ends_cleanly(
    two_racks: Description, tmp_path: Path, number: signal.Signals
) -> None:
    with started(two_racks, tmp_path) as lab:
        assert lab.ready_line == f"ready: 2 devices, 2 relay boards, control {two_racks['control']}\n"
        assert json.loads(lab.ready_file.read_text("utf-8")) == {
            "pid": lab.process.pid,
            "control": two_racks["control"],
            "devices": 2,
            "relay_boards": 2,
        }
        workers = lab.workers()
        assert len(workers) == 2
        lab.process.send_signal(number)
        _, errors = lab.process.communicate(timeout=10)
        assert (lab.process.returncode, errors) == (0, "")
        assert not any(is_alive(pid) for pid in workers)
        assert not lab.ready_file.exists()
        assert not Path(two_racks["control"]).exists()


def test_a_killed_supervisor_takes_its_workers_along_and_a_new_lab_starts_in_its_place(
    two_racks: Description, tmp_path: Path
) -> None:
    with started(two_racks, tmp_path) as lab:
        workers = lab.workers()
        lab.process.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in workers), lambda: f"{workers} live on")
    with started(two_racks, tmp_path) as lab:
        assert lab.ready_line.startswith("ready: 2 devices")


def test_a_worker_that_dies_ends_the_lab_with_an_error(two_racks: Description, tmp_path: Path) -> None:
    with started(two_racks, tmp_path) as lab:
        first, second = lab.workers()
        os.kill(first, signal.SIGKILL)
        _, errors = lab.process.communicate(timeout=10)
        assert errors == f"simlab: the worker with process id {first} ended by itself (-9)\n"
        assert lab.process.returncode == 1
        assert not is_alive(second)


def test_the_control_client_sees_and_changes_the_whole_lab(two_racks: Description, tmp_path: Path) -> None:
    with started(two_racks, tmp_path) as lab:
        control = lab.control
        assert list(control.boards()) == ["panda-0001", "panda-0002"]
        assert [entry.what for entry in control.board("panda-0002").history] == ["image_up"]
        control.clear_history()
        control.set_script("panda-0002", ["ok", "hang_at_boot"])
        assert control.set_faults("panda-0002", {"lose_image": 0.5}).faults == {"lose_image": 0.5}
        assert control.hang("panda-0002").hung
        board = control.board("panda-0002")
        assert (board.phase, board.power, board.image) == ("up", True, "b2g")
        assert board.script == ("ok", "hang_at_boot")
        assert isinstance(board.history[0], Entry)
        assert [entry.what for entry in board.history] == ["hung"]
        assert control.history() == {"panda-0001": (), "panda-0002": board.history}
        assert not control.unhang("panda-0002").hung
        assert control.lose_image("panda-0001").image is None


def test_the_control_client_breaks_and_heals_a_relay_board(two_racks: Description, tmp_path: Path) -> None:
    with started(two_racks, tmp_path) as lab:
        assert lab.control.fault_relay_board("relay-2", "refused").fault == "refused"
        address = (two_racks["relay_boards"][1]["host"], 2101)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=3)
        assert lab.control.heal_relay_board("relay-2").fault is None
        with socket.create_connection(address, timeout=3) as relay:
            relay.sendall(bytes([254, 108, 1]))
            assert relay.recv(8) == b"\x55"
        view = lab.control.relay_board("relay-2")
        assert view.off == ("bank1:relay1",)
        stats = lab.control.stats()
        assert stats.relay_boards["relay-2"] == RelayCounters(
            connections=1, waited=0, refused=0, commands=1, switches=1
        )
        assert stats.phases == {"up": 1, "off": 1}
        assert (stats.hung, stats.calls) == (0, Calls(answered=0, tried_again=0, failed=0))
        assert set(stats.rss) == {str(pid) for pid in (lab.process.pid, *lab.workers())}
        assert 10_000_000 < stats.rss_bytes < 300_000_000
        lab.control.reset_counters()
        assert lab.control.relay_board("relay-2").counters.switches == 0


def test_wrong_requests_are_answered_with_their_fault(two_racks: Description, tmp_path: Path) -> None:
    with started(two_racks, tmp_path):
        for request, error in {
            b'{"verb": "dance"}': "unknown verb 'dance'",
            b'{"verb": "board", "name": "panda-9"}': "no device or relay board panda-9",
            b'{"verb": "board", "name": "relay-1"}': "no device relay-1",
            b'{"verb": "fault", "name": "relay-1", "fault": "fire"}': "fault: one of silence,",
            b"[]": "the request is no JSON object",
            b"{": "the request is no JSON object",
        }.items():
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(two_racks["control"])
                connection.sendall(request + b"\n")
                answer = json.loads(connection.makefile("rb").readline())
            assert answer["ok"] is False
            assert answer["error"].startswith(error)


def test_a_second_lab_at_the_same_socket_is_refused(two_racks: Description, tmp_path: Path) -> None:
    with started(two_racks, tmp_path) as lab:
        second = subprocess.run(
            arguments(two_racks, tmp_path), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert "another lab is running" in second.stderr
        assert lab.control.stats().phases == {"up": 2}


def test_a_port_that_is_taken_ends_the_start(two_racks: Description, tmp_path: Path) -> None:
    host = two_racks["relay_boards"][0]["host"]
    with socket.create_server((host, 2101)):
        refused = subprocess.run(
            arguments(two_racks, tmp_path), cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert refused.returncode == 1
    assert refused.stderr == f"simlab: relay-1 cannot listen on {host}:2101: Address already in use\n"
    assert refused.stdout == ""


def test_a_wrong_description_is_named_with_exit_status_2(two_racks: Description, tmp_path: Path) -> None:
    two_racks["devices"][1]["outlet"] = "bank9:relay1"
    refused = subprocess.run(
        arguments(two_racks, tmp_path), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    complaint = "devices[1].outlet: an outlet bank<1-4>:relay<1-8> expected, got 'bank9:relay1'"
    assert refused.stderr == f"simlab: {tmp_path / 'LAB.json'}: {complaint}\n"


def test_the_command_shows_and_breaks_by_hand(two_racks: Description, tmp_path: Path) -> None:
    with started(two_racks, tmp_path) as lab:
        assert ctl(two_racks, "boards").stdout.splitlines() == [
            "panda-0001           up           b2g",
            "panda-0002           up           b2g",
        ]
        assert ctl(two_racks, "fault", "relay-1", "silence", "--count", "2").returncode == 0
        assert lab.control.relay_board("relay-1").fault == "silence"
        assert ctl(two_racks, "faults", "panda-0001", "hang_at_boot=0.5").returncode == 0
        assert lab.control.board("panda-0001").faults == {"hang_at_boot": 0.5}
        assert ctl(two_racks, "script", "panda-0001", "ok", "install_fails").returncode == 0
        assert lab.control.board("panda-0001").script == ("ok", "install_fails")
        assert json.loads(ctl(two_racks, "stats").stdout)["phases"] == {"up": 2}
        assert ctl(two_racks, "board", "panda-0001").stdout.endswith("UTC  image_up\n")
        unknown = ctl(two_racks, "hang", "panda-9")
        assert (unknown.returncode, unknown.stderr) == (1, "simlab.ctl: no device or relay board panda-9\n")
        assert ctl(two_racks, "fault", "relay-1", "fire").returncode == 2


def test_without_a_lab_the_client_says_where_it_looked(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.sock"
    with pytest.raises(LabError, match=f"^no lab answers at {nowhere}: "):
        LabControl(nowhere).stats()
