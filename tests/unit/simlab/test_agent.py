"""The simulated agent, spoken to over its real socket."""

import hashlib
from collections.abc import Iterator

import pytest

from tests.unit.simlab.agent_client import AgentClient
from tests.unit.simlab.lab import Description, running


@pytest.fixture
def agent(described: Description) -> Iterator[AgentClient]:
    """A connection to the agent of an installed image, past the greeting."""
    with running(described) as lab, AgentClient(lab.device_address) as client:
        assert client.greeting() == b""
        yield client


def test_the_test_root_is_a_path(agent: AgentClient) -> None:
    assert agent.ask(b"testroot\r\n") == b"/mnt/sdcard\n"


def test_a_line_may_end_in_a_bare_line_feed(agent: AgentClient) -> None:
    assert agent.ask(b"testroot\n") == b"/mnt/sdcard\n"


def test_a_folder_and_a_file_are_made_read_and_removed(agent: AgentClient) -> None:
    content = b"some bytes\n$> and a line that looks like a prompt\n"
    assert agent.ask(b"mkdr /mnt/sdcard/check\r\n") == b"/mnt/sdcard/check successfully created\n"
    assert agent.ask(b"isdir /mnt/sdcard/check\r\n") == b"TRUE\n"
    pushed = agent.ask(b"push /mnt/sdcard/check/f %d\r\n%b" % (len(content), content))
    assert pushed == hashlib.md5(content, usedforsecurity=False).hexdigest().encode() + b"\n"
    assert agent.ask(b"cat /mnt/sdcard/check/f\r\n") == content + b"\n"
    assert agent.ask(b"rm /mnt/sdcard/check/f\r\n") == b"/mnt/sdcard/check/f deleted\n"
    assert agent.ask(b"rmdr /mnt/sdcard/check\r\n") == b"/mnt/sdcard/check deleted\n"
    assert agent.ask(b"isdir /mnt/sdcard/check\r\n") == b"FALSE\n"


def test_removing_a_folder_removes_what_is_in_it(agent: AgentClient) -> None:
    agent.ask(b"mkdr /mnt/sdcard/a/b\n")
    agent.ask(b"push /mnt/sdcard/a/b/f 1\nx")
    assert agent.ask(b"rmdr /mnt/sdcard/a\n") == b"/mnt/sdcard/a deleted\n"
    assert agent.ask(b"isdir /mnt/sdcard/a/b\n") == b"FALSE\n"
    assert agent.ask(b"cat /mnt/sdcard/a/b/f\n") == b"##AGENT-WARNING## No such file /mnt/sdcard/a/b/f\n"


@pytest.mark.parametrize(
    ("command", "warning"),
    [
        (b"mkdr /mnt/sdcard\n", b"Could not create the directory /mnt/sdcard"),
        (b"push /nowhere/f 1\nx", b"Could not create the file /nowhere/f"),
        (b"push /mnt/sdcard/f 1048577\n", b"More than 1048576 bytes for /mnt/sdcard/f"),
        (b"push /mnt/sdcard/f many\n", b"Invalid command or arguments: push /mnt/sdcard/f many"),
        (b"rm /mnt/sdcard/f\n", b"No such file /mnt/sdcard/f"),
        (b"rmdr /\n", b"Could not delete the directory /"),
        (b"dance\n", b"Invalid command or arguments: dance"),
        (b"\n", b"Invalid command or arguments: "),
    ],
)
def test_what_cannot_be_done_is_warned_of_and_the_agent_goes_on(
    agent: AgentClient, command: bytes, warning: bytes
) -> None:
    assert agent.ask(command) == b"##AGENT-WARNING## " + warning + b"\n"
    assert agent.ask(b"testroot\n") == b"/mnt/sdcard\n"


def test_quit_closes_the_connection(agent: AgentClient) -> None:
    agent.socket.sendall(b"quit\n")
    assert agent.socket.recv(64) == b""


def test_a_line_without_an_end_is_cut_off(agent: AgentClient) -> None:
    agent.socket.sendall(b"x" * 200_000)
    with pytest.raises(ConnectionError):
        agent.ask(b"\n")


def test_several_clients_are_served_at_once(agent: AgentClient) -> None:
    host, port = agent.socket.getpeername()
    with AgentClient(host, port) as second:
        assert second.greeting() == b""
        assert second.ask(b"testroot\n") == b"/mnt/sdcard\n"
        assert agent.ask(b"testroot\n") == b"/mnt/sdcard\n"


def test_files_outlive_a_power_cycle(described: Description) -> None:
    with running(described) as lab:
        with AgentClient(lab.device_address) as client:
            client.greeting()
            client.ask(b"push /mnt/sdcard/f 2\nhi")
        lab.cycle()
        lab.wait_for("image_up", times=2)
        with AgentClient(lab.device_address) as client:
            client.greeting()
            assert client.ask(b"cat /mnt/sdcard/f\n") == b"hi\n"
