"""The TFTP server over real UDP: loaders old and new, lines that lose, boards that vanish, many at once."""

import contextlib
import logging
import os
import random
import resource
import shutil
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bmm.tftp.server import Limits, Server, listen
from tests.integration.netboot.loaders import Loader, fetch, fetch_one

DATA_1 = b"\0\3\0\1"
KERNEL = random.Random(5).randbytes(1_500_000)


@dataclass
class Running:
    """A server in a thread of its own."""

    at: tuple[str, int]
    root: Path
    server: Server


@pytest.fixture
def tftp(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    """Run a server over a folder with a kernel; `@pytest.mark.parametrize("tftp", [Limits(...)], indirect=True)`."""
    (tmp_path / "vmlinuz").write_bytes(KERNEL)
    (tmp_path / "even").write_bytes(KERNEL[: 512 * 3])
    (tmp_path / "empty").write_bytes(b"")
    listening = listen("127.0.0.1", 0)
    server = Server(listening, tmp_path, getattr(request, "param", None))
    at = listening.getsockname()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield Running(at, tmp_path, server)
    server.stop(0)
    thread.join(5)
    assert not thread.is_alive()


class Port:
    """One UDP port of a board, whose packets the test writes itself."""

    def __init__(self, server: tuple[str, int], address: str = "127.0.0.1") -> None:
        self._server = server
        self._link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._link.bind((address, 0))
        self._link.settimeout(3)
        weakref.finalize(self, self._link.close)

    def ask(self, name: str, *options: str) -> None:
        """Request a file."""
        self.say(b"\0\1" + "\0".join((name, "octet", *options)).encode() + b"\0", self._server)

    def say(self, packet: bytes, to: tuple[str, int]) -> None:
        """Send a packet."""
        self._link.sendto(packet, to)

    def hear(self) -> tuple[tuple[str, int], bytes]:
        """Return who sent the next packet, and the packet."""
        packet, peer = self._link.recvfrom(2000)
        return peer, packet

    def hear_at_once(self) -> bytes | None:
        """Return a packet that has come, or comes in a moment; None when none does."""
        self._link.settimeout(0.2)
        try:
            return self._link.recv(2000)
        except TimeoutError:
            return None

    def hears_nothing(self, seconds: float) -> bool:
        """Whether nothing new comes; the block that is not acknowledged comes again."""
        ends = time.monotonic() + seconds
        heard = set()
        while (left := ends - time.monotonic()) > 0:
            self._link.settimeout(left)
            with contextlib.suppress(TimeoutError):
                heard.add(self.hear())
        return len(heard) <= 1


def loading(tftp: Running) -> tuple[Port, tuple[str, int]]:
    """Give a board that has acknowledged the first block and has the second, and whom it has them from."""
    board = Port(tftp.at)
    board.ask("vmlinuz")
    sender, block = board.hear()
    assert block == DATA_1 + KERNEL[:512]
    board.say(b"\0\4\0\1", sender)
    assert board.hear() == (sender, b"\0\3\0\2" + KERNEL[512:1024])
    return board, sender


def loader(tftp: Running, name: str = "vmlinuz", **options: int) -> Loader:
    return Loader(tftp.at, name, options=options)


@pytest.mark.parametrize("options", [{}, {"blksize": 1468, "tsize": 0}, {"blksize": 1468, "windowsize": 16}])
def test_a_loader_gets_its_kernel(tftp: Running, options: dict[str, int]) -> None:
    got = fetch_one(Loader(tftp.at, "vmlinuz", options=options))
    assert bytes(got.content) == KERNEL
    assert got.came_twice == 0
    assert got.granted == {name: str(value or len(KERNEL)) for name, value in options.items()}


@pytest.mark.parametrize(("name", "size", "blocks"), [("even", 1536, 4), ("empty", 0, 1)])
def test_a_file_that_fills_its_last_block_ends_with_an_empty_one(
    tftp: Running, name: str, size: int, blocks: int
) -> None:
    got = fetch_one(loader(tftp, name))
    assert (len(got.content), got.received) == (size, blocks)


def test_a_file_of_more_than_65535_blocks_arrives_whole(tftp: Running) -> None:
    content = random.Random(6).randbytes(8 * 65_600)
    (tftp.root / "long").write_bytes(content)
    got = fetch_one(loader(tftp, "long", blksize=8, windowsize=16), seconds=60)
    assert (bytes(got.content) == content, got.received) == (True, 65_601)


@pytest.mark.parametrize("window", [1, 8])
def test_every_loader_gets_the_same_bytes_over_a_line_that_loses_a_packet_in_fifty(
    tftp: Running, window: int
) -> None:
    content = KERNEL[:80_000]
    (tftp.root / "initrd").write_bytes(content)
    loaders = [
        Loader(
            tftp.at, "initrd", f"127.0.2.{number}", {"blksize": 1468, "windowsize": window},
            lose=0.02, patience=0.8, chance=random.Random(number),
        )
        for number in range(1, 21)
    ]  # fmt: skip
    fetch(loaders, seconds=60)
    assert [bytes(got.content) == content for got in loaders] == [True] * 20


def test_a_doubled_acknowledgement_doubles_nothing(tftp: Running) -> None:
    got = loader(tftp, "even")
    got.link.setblocking(True)
    got.link.settimeout(2)
    got.ask()
    packet, peer = got.link.recvfrom(2000)
    assert packet[:4] == b"\0\3\0\1"
    for _ in range(5):
        got.link.sendto(b"\0\4\0\1", peer)
    assert got.link.recv(2000)[:4] == b"\0\3\0\2"
    got.link.settimeout(0.3)
    with pytest.raises(TimeoutError):
        got.link.recv(2000)
    got.link.close()


def test_a_request_that_comes_twice_begins_one_transfer(tftp: Running) -> None:
    got = loader(tftp, "even")
    got.link.setblocking(True)
    got.link.settimeout(2)
    got.ask()
    got.ask()
    peers = {got.link.recvfrom(2000)[1] for _ in range(2)}
    assert len(peers) == 1
    got.link.close()


def test_another_request_of_the_same_port_ends_the_old_transfer(
    tftp: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bmm.tftp")
    board = Port(tftp.at)
    board.ask("even")
    old, block = board.hear()
    assert block == DATA_1 + KERNEL[:512]
    board.ask("vmlinuz", "blksize", "1024")
    new, granted = board.hear()
    assert granted == b"\0\6blksize\0001024\0"
    assert new != old
    board.say(b"\0\4\0\0", new)
    assert board.hear() == (new, DATA_1 + KERNEL[:1024])
    assert board.hears_nothing(1)
    assert "127.0.0.1 even: the board asks anew" in caplog.text


def test_a_board_that_was_reset_while_it_was_loading_begins_again_at_once(tftp: Running) -> None:
    board, _ = loading(tftp)
    board.ask("vmlinuz")
    new, block = board.hear()
    assert block == DATA_1 + KERNEL[:512]
    # What the old transfer would send again would be taken for an answer of the new one.
    board.say(b"\0\4\0\1", new)
    assert board.hear() == (new, b"\0\3\0\2" + KERNEL[512:1024])


@pytest.mark.parametrize("told", [True, False])
def test_an_old_request_that_comes_late_does_not_end_what_the_board_goes_on_with(
    tftp: Running, *, told: bool
) -> None:
    board, sender = loading(tftp)
    board.ask("vmlinuz")
    late, block = board.hear()
    assert (late != sender, block) == (True, DATA_1 + KERNEL[:512])
    if told:
        board.say(b"\0\5\0\5unknown transfer\0", late)
    board.say(b"\0\4\0\2", sender)
    assert board.hear() == (sender, b"\0\3\0\3" + KERNEL[1024:1536])
    assert board.hear()[0] == sender


def test_a_board_whose_last_block_was_lost_while_its_old_request_came_gets_it_again(tftp: Running) -> None:
    board, sender = loading(tftp)
    board.ask("vmlinuz")
    board.hear()
    board.say(b"\0\4\0\1", sender)
    assert board.hear() == (sender, b"\0\3\0\2" + KERNEL[512:1024])


def test_nor_does_an_old_acknowledgement_that_comes_late_with_it(tftp: Running) -> None:
    board, sender = loading(tftp)
    board.ask("vmlinuz")
    board.hear()
    board.say(b"\0\4\0\0", sender)
    board.say(b"\0\4\0\2", sender)
    assert board.hear() == (sender, b"\0\3\0\3" + KERNEL[1024:1536])


@pytest.mark.parametrize("tftp", [Limits(transfers=64, transfers_of_one=8)], indirect=True)
def test_requests_that_nobody_follows_up_make_room_for_a_board(
    tftp: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bmm.tftp")
    forged = [Port(tftp.at, f"127.0.5.{number}") for number in range(1, 9) for _ in range(8)]
    for port in forged:
        port.ask("vmlinuz", "timeout", "255")
    got = fetch_one(Loader(tftp.at, "vmlinuz", "127.0.5.100", {"blksize": 1468}))
    assert bytes(got.content) == KERNEL
    assert caplog.text.count("vmlinuz: given up for another board") == 1
    assert caplog.text.count("vmlinuz: given up: no answer") == 0
    threading.Event().wait(5.2)
    assert caplog.text.count("vmlinuz: given up: no answer") == 63


def test_who_comes_when_nothing_more_can_be_opened_gets_no_answer_and_is_served_later(
    tftp: Running, caplog: pytest.LogCaptureFixture
) -> None:
    silent = [Port(tftp.at, f"127.0.6.{number}") for number in range(1, 13)]
    board = Port(tftp.at, "127.0.6.100")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 9, hard))
    try:
        for port in silent:
            port.ask("even")
        answers = [port.hear_at_once() for port in silent]
        tries = 0
        while (answer := board.hear_at_once()) is None and tries < 50:
            board.ask("even")
            tries += 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert set(answers) == {DATA_1 + KERNEL[:512], None}
    assert "even: Too many open files, it has to ask again" in caplog.text
    assert answer == DATA_1 + KERNEL[:512]


def test_a_board_that_asks_and_is_silent_is_sent_little(
    tftp: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bmm.tftp")
    got = loader(tftp, "even", timeout=1)
    got.link.setblocking(True)
    got.link.settimeout(2.5)
    got.ask()
    assert [got.link.recv(2000) for _ in range(4)] == [b"\0\6timeout\0001\0"] * 4
    with pytest.raises(TimeoutError):
        got.link.recv(2000)
    got.link.close()
    assert "127.0.0.1 even: given up: no answer; 1536 bytes" in caplog.text


def test_a_loader_that_only_wants_the_size_ends_the_transfer(
    tftp: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bmm.tftp")
    got = loader(tftp, tsize=0)
    got.link.setblocking(True)
    got.link.settimeout(2)
    got.ask()
    packet, peer = got.link.recvfrom(2000)
    assert packet == b"\0\6tsize\0%d\0" % len(KERNEL)
    got.link.sendto(b"\0\5\0\0\0", peer)
    got.link.close()
    fetch_one(loader(tftp, "even"))
    assert "127.0.0.1 vmlinuz: stopped by the board" in caplog.text


def test_a_stranger_cannot_meddle_with_a_transfer(tftp: Running) -> None:
    got = loader(tftp, "even")
    got.link.setblocking(True)
    got.ask()
    _, peer = got.link.recvfrom(2000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\0\5\0\0stop\0", peer)
        stranger.sendto(b"\0\4\0\1", peer)
    got.link.settimeout(0.3)
    with pytest.raises(TimeoutError):
        got.link.recv(2000)
    got.link.sendto(b"\0\4\0\1", peer)
    assert got.link.recv(2000)[:4] == b"\0\3\0\2"
    got.link.close()


def test_a_file_that_shrinks_meanwhile_is_told(tftp: Running) -> None:
    (tftp.root / "log").write_bytes(b"x" * 300_000)
    got = loader(tftp, "log")
    got.link.setblocking(True)
    got.link.settimeout(5)
    got.ask()
    got.hear()
    (tftp.root / "log").write_bytes(b"")
    while not got.done:
        got.hear()
    got.link.close()
    assert got.error == (0, "the file has changed while it was sent")


@pytest.mark.parametrize(
    ("name", "mode", "error"),
    [
        ("../etc/passwd", "octet", (2, "that is no file name that this server gives")),
        ("pxelinux.cfg/default", "octet", (1, "no such file")),
        ("vmlinuz", "netascii", (4, "only mode octet is served (the command tftp calls it binary)")),
    ],
)
def test_what_is_not_given_is_told_to_the_board_and_to_the_log(
    tftp: Running, name: str, mode: str, error: tuple[int, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bmm.tftp")
    got = fetch_one(Loader(tftp.at, name, mode=mode))
    assert got.error == error
    assert f"refused, {error[1]}" in caplog.text


def test_a_name_cannot_write_lines_into_the_log(tftp: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bmm.tftp")
    fetch_one(loader(tftp, "a\n2026 root logged in"))
    assert "127.0.0.1 a\\n2026 root logged in: refused" in caplog.text


@pytest.mark.parametrize("tftp", [Limits(transfers=3, transfers_of_one=2)], indirect=True)
def test_who_comes_when_all_is_full_waits_and_is_served(tftp: Running) -> None:
    loaders = [Loader(tftp.at, "even", f"127.0.3.{number}", patience=0.2) for number in range(1, 13)]
    fetch(loaders)
    assert [len(got.content) for got in loaders] == [1536] * 12


@pytest.mark.parametrize("tftp", [Limits(transfers=10, transfers_of_one=2)], indirect=True)
def test_one_greedy_address_leaves_room_for_others(tftp: Running) -> None:
    greedy = [loader(tftp, "even") for _ in range(20)]
    for got in greedy:
        got.ask()
    fetch_one(Loader(tftp.at, "vmlinuz", "127.0.3.99"))
    assert sum(_has_packet(got) for got in greedy) == 2


def _has_packet(got: Loader) -> bool:
    try:
        return bool(got.link.recv(2000))
    except BlockingIOError:
        return False
    finally:
        got.link.close()


def test_eighty_boards_at_once_get_their_kernels(tftp: Running) -> None:
    loaders = [
        Loader(tftp.at, "vmlinuz", f"127.0.1.{number}", {"blksize": 1468, "tsize": 0}, patience=3)
        for number in range(1, 81)
    ]
    fetch(loaders, seconds=120)
    assert sum(bytes(got.content) == KERNEL for got in loaders) == 80


def test_curl_gets_a_file(tftp: Running, tmp_path: Path) -> None:
    if "tftp" not in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this curl speaks no TFTP")
    url = f"tftp://{tftp.at[0]}:{tftp.at[1]}/vmlinuz"
    subprocess.run(
        ["curl", "-s", "-o", "got", "--tftp-blksize", "1400", url], cwd=tmp_path, check=True, timeout=30
    )
    assert (tmp_path / "got").read_bytes() == KERNEL


@pytest.mark.parametrize("program", ["tftp", "busybox"])
def test_other_peoples_clients_get_a_file(tftp: Running, tmp_path: Path, program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    host, port = tftp.at[0], str(tftp.at[1])
    call = {
        "tftp": ["tftp", "-m", "binary", host, port, "-c", "get", "vmlinuz", "got"],
        "busybox": ["busybox", "tftp", "-g", "-b", "1468", "-r", "vmlinuz", "-l", "got", host, port],
    }
    subprocess.run(call[program], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "got").read_bytes() == KERNEL
