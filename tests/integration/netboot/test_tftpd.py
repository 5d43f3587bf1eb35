"""`manage.py tftpd` as a process of its own."""

import os
import pwd
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.netboot.loaders import Loader, fetch_one

CALL = [sys.executable, "manage.py", "tftpd"]


@pytest.fixture
def root() -> Iterator[Path]:
    """Give a folder that other users may read, too: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "vmlinuz").write_bytes(b"kernel")
        yield Path(folder)


def test_it_serves_logs_and_leaves_when_told(root: Path) -> None:
    process = subprocess.Popen(
        [*CALL, "--bind", "127.0.0.1:0", "--root", str(root)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        serving = re.fullmatch(r"serving (\S+) at 127\.0\.0\.1:(\d+)\n", process.stdout.readline())
        assert serving is not None
        got = fetch_one(Loader(("127.0.0.1", int(serving[2])), "vmlinuz"))
        assert bytes(got.content) == b"kernel"
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            told = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            )
            assert told["Uid"].split() == [str(nobody.pw_uid)] * 4
            assert told["Gid"].split() == [str(nobody.pw_gid)] * 4
            assert told["Groups"].split() == []
            assert int(told["CapEff"], 16) == 0
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "tftp: 127.0.0.1 vmlinuz: sent; 6 bytes" in errors


@pytest.mark.parametrize(
    ("soft", "hard", "told"),
    [
        (256, 4096, "serving"),
        (256, 256, "112 transfers at a time, not 512: this process may open 256 files (ulimit -n)\nserving"),
    ],
)
def test_it_takes_as_many_transfers_as_it_may_open_files_for(
    root: Path, soft: int, hard: int, told: str
) -> None:
    limit = f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", limit, "bash", *CALL, "--bind", "127.0.0.1:0", "--root", str(root)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in told.splitlines()]
        assert "".join(lines).startswith(told)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max open files +(\d+)", limits).group(1) == str(min(1056, hard))  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--bind", "here"], 2, "tftpd: --bind: an IPv4 address, and perhaps :PORT, expected, got 'here'\n"),
        (["--bind", "::1"], 2, "tftpd: --bind: an IPv4 address, and perhaps :PORT, expected, got '::1'\n"),
        (["--bind", "127.0.0.1:0", "--root", "/nosuch"], 2, "tftpd: --root: /nosuch is no folder that we may read\n"),
        (["--bind", "127.0.0.1:0", "--transfers", "0"], 2, "tftpd: --transfers: at least 1, please\n"),
        (["--bind", "192.0.2.1:6969"], 1, "tftpd: 192.0.2.1:6969 can't be bound: Cannot assign requested address\n"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_in_a_line(words: list[str], status: int, told: str) -> None:
    ended = subprocess.run([*CALL, *words], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (status, told)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("nosuch", "tftpd: --user: this machine knows no 'nosuch'\n"),
        ("root", "tftpd: --user: another than root, please\n"),
    ],
)
def test_it_never_serves_as_root(user: str, told: str) -> None:
    ended = subprocess.run(
        [*CALL, "--bind", "127.0.0.1:0", "--user", user],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (2, told)
