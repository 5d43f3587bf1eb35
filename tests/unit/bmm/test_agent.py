"""The agent's verify and storage check, against an agent on a real socket and each way that it may fail."""

import hashlib
import re
import socket
import time
from collections.abc import Iterator

import pytest

from bmm.deadline import Deadline
from bmm.drivers.agent import check_storage, verify
from bmm.errors import Garbled, Misconfigured, OutOfTime, Refused, Unreachable
from tests.unit.bmm.tcp_server import TcpServer

WARNING = "##AGENT-WARNING## "


class Agent(TcpServer):
    """A SUTAgent with a file system in memory; `answers` replaces what it says to a command by its first word."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = b"$>\0"
        self.greets = True
        self.root = "/mnt/sdcard"
        self.folders = {self.root}
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, str] = {}
        self.heard: list[str] = []
        self.pieces = False
        self.loses_bytes = 0
        self.hangs_up_after = ""

    def serve(self, connection: socket.socket) -> None:
        if self.greets:
            connection.sendall(self.prompt)
        with connection.makefile("rb") as lines:
            for line in lines:
                name, *words = line.decode().split()
                self.heard.append(name)
                data = lines.read(int(words[1])) if name == "push" else b""
                if name == self.hangs_up_after:
                    return
                reply = self.answers.get(name, "") or self._obey(name, words[0] if words else "", data)
                self._say(connection, reply.encode() + (b"" if name == "cat" else b"\n") + self.prompt)

    def _say(self, connection: socket.socket, data: bytes) -> None:
        if not self.pieces:
            connection.sendall(data)
            return
        for byte in data:
            connection.sendall(bytes((byte,)))
            time.sleep(0.001)

    def _obey(self, name: str, path: str, data: bytes) -> str:
        if name in ("mkdr", "rmdr"):
            return self._folder(name, path)
        if name == "push":
            self.files[path] = data[self.loses_bytes :]
            return hashlib.md5(self.files[path], usedforsecurity=False).hexdigest()
        if name == "rm":
            return f"Deleted {path}" if self.files.pop(path, None) is not None else WARNING + f"no {path}"
        if name == "cat":
            return self.files[path].decode()
        assert name in ("testroot", "isdir")
        return self.root if name == "testroot" else str(path in self.folders).upper()

    def _folder(self, name: str, path: str) -> str:
        if name == "mkdr":
            self.folders.add(path)
            return f"{path} successfully created"
        if path not in self.folders:
            return WARNING + f"no {path}"
        self.folders.remove(path)
        return f"Deleted {path}"


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as running:
        yield running


def verify_it(agent: Agent, seconds: float = 5) -> str:
    return verify("127.0.0.1", agent.port, Deadline.after(seconds))


def check_it(agent: Agent, seconds: float = 5) -> None:
    check_storage("127.0.0.1", agent.port, Deadline.after(seconds))


@pytest.mark.parametrize("prompt", [b"$>\0", b"$>"])
def test_an_agent_that_is_up_gives_its_test_root(agent: Agent, prompt: bytes) -> None:
    agent.prompt = prompt
    assert verify_it(agent) == "/mnt/sdcard"


def test_answers_that_come_byte_by_byte_are_put_together(agent: Agent) -> None:
    agent.pieces = True
    assert verify_it(agent) == "/mnt/sdcard"


def test_a_silent_agent_is_out_of_time_at_the_deadline(agent: Agent) -> None:
    agent.greets = False
    started = time.monotonic()
    with pytest.raises(OutOfTime, match="did not answer in time"):
        verify_it(agent, 0.3)
    assert 0.29 <= time.monotonic() - started < 10


def test_nobody_listening_is_unreachable(agent: Agent) -> None:
    agent.stop()
    with pytest.raises(Unreachable, match="Connection refused"):
        verify_it(agent)


def test_an_agent_that_hangs_up_is_unreachable(agent: Agent) -> None:
    agent.hangs_up_after = "testroot"
    with pytest.raises(Unreachable, match="closed the connection"):
        verify_it(agent)


def test_an_agent_that_warns_is_refused_in_its_own_words(agent: Agent) -> None:
    agent.answers["testroot"] = WARNING + "No SD card"
    with pytest.raises(Refused, match=r"refused 'testroot': No SD card$"):
        verify_it(agent)


@pytest.mark.parametrize("answer", ["sdcard", "/mnt/sd card", "/a\n/b", "/" + "x" * 300, "/mnt/\x1b[2J"])
def test_what_is_no_path_is_no_test_root(agent: Agent, answer: str) -> None:
    agent.answers["testroot"] = answer
    with pytest.raises(Garbled, match="gave no path as its test root"):
        verify_it(agent)


def test_an_endless_answer_is_cut_off(agent: Agent) -> None:
    agent.answers["testroot"] = "x" * 200_000
    with pytest.raises(Garbled, match="sent over 65536 bytes without a prompt"):
        verify_it(agent)


def test_something_else_on_the_port_is_garbled_or_out_of_time(agent: Agent) -> None:
    agent.prompt = b"SSH-2.0-OpenSSH_9.2\r\n"
    with pytest.raises(OutOfTime):
        verify_it(agent, 0.2)


def test_a_port_that_cannot_be_is_misconfigured() -> None:
    with pytest.raises(Misconfigured):
        verify("127.0.0.1", 0, Deadline.after(1))


def test_a_good_storage_is_written_read_and_left_as_it_was(agent: Agent) -> None:
    check_it(agent)
    assert agent.heard == ["testroot", "mkdr", "isdir", "push", "cat", "rm", "rmdr", "isdir"]
    assert agent.folders == {"/mnt/sdcard"}
    assert agent.files == {}


def test_a_test_root_at_the_top_is_no_double_slash(agent: Agent) -> None:
    agent.root = "/"
    check_it(agent)
    assert agent.folders == {"/mnt/sdcard"}


@pytest.mark.parametrize(
    ("command", "answer", "reason"),
    [
        (
            "mkdr",
            WARNING + "Could not create the directory",
            "refused 'mkdr .*': Could not create the directory$",
        ),
        ("isdir", "FALSE", "the storage has no /mnt/sdcard/mozpool-check-[0-9a-f]{8} although it was made$"),
        ("push", WARNING + "Read-only file system", "refused 'push .*': Read-only file system$"),
        (
            "push",
            "d41d8cd98f00b204e9800998ecf8427e",
            "did not take .* whole: md5 [0-9a-f]{32} expected, got 'd41d8",
        ),
        ("cat", "something else", "gave back another .* than was written$"),
        ("cat", WARNING + "I/O error", "refused 'cat .*': I/O error$"),
        ("rm", WARNING + "Unable to delete", "refused 'rm .*': Unable to delete$"),
        ("rmdr", WARNING + "Directory not empty", "refused 'rmdr .*': Directory not empty$"),
        ("isdir", "TRUE", "the storage keeps .* although it was removed$"),
    ],
)
def test_each_way_that_storage_fails_is_refused_with_its_reason(
    agent: Agent, command: str, answer: str, reason: str
) -> None:
    agent.answers[command] = answer
    with pytest.raises(Refused) as caught:
        check_it(agent)
    assert re.search(reason, str(caught.value))


def test_a_card_that_loses_bytes_is_found_out_and_tidied(agent: Agent) -> None:
    agent.loses_bytes = 1
    with pytest.raises(Refused, match="did not take"):
        check_it(agent)
    assert agent.files == {}
    assert agent.folders == {"/mnt/sdcard"}


def test_an_agent_that_dies_while_tidying_does_not_hide_the_first_reason(agent: Agent) -> None:
    agent.loses_bytes = 1
    agent.hangs_up_after = "rm"
    with pytest.raises(Refused, match="did not take"):
        check_it(agent)


def test_an_agent_that_dies_while_writing_is_unreachable_and_says_nothing_about_the_storage(
    agent: Agent,
) -> None:
    agent.hangs_up_after = "push"
    with pytest.raises(Unreachable):
        check_it(agent)
