"""`make reallab` as a developer sees it: it shows two requests, and however it ends, no machine is left."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from reallab.debian import DebianFailed, unpacked
from simlab.pool import ROOT

_SECONDS = 240.0


@contextmanager
def _started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder.parent / "shown").open("wb") as shown:
        process = subprocess.Popen(
            [sys.executable, "-m", "reallab", "--machines", "1", "--folder", str(folder)],
            cwd=ROOT,
            stdout=shown,
            stderr=shown,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until_shown(words: str, process: subprocess.Popen[bytes], folder: Path) -> str:
    end = time.monotonic() + _SECONDS
    while words not in (shown := (folder.parent / "shown").read_text()):
        assert process.poll() is None, shown
        assert time.monotonic() < end, shown
        time.sleep(0.2)
    return shown


def _machines(folder: Path) -> list[psutil.Process]:
    """Give the machines that run on a lab's disks."""
    running = psutil.process_iter(["name", "cmdline"])
    ours = [process for process in running if str(folder) in " ".join(process.info["cmdline"] or [])]
    return [process for process in ours if process.info["name"].startswith("qemu-system")]


def test_it_shows_an_installation_and_a_reuse_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with _started(folder) as process:
        shown = _until_shown("Ctrl-C ends everything", process, folder)
        installed, reused = shown.split("The same once more")
        assert "request 1 is ready on arm-1" in installed
        assert "extracting" in installed
        assert "request 2 is ready on arm-1" in reused
        assert "extracting" not in reused
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(_machines(folder)) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert psutil.wait_procs(children, timeout=5)[1] == []


def test_a_killed_lab_leaves_no_process_behind(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with _started(folder) as process:
        _until_shown("pxe_booting", process, folder)
        assert len(_machines(folder)) == 1
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    # Also those that have given root up, for whom the kernel no longer sees to that.
    assert psutil.wait_procs(children, timeout=15)[1] == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    ended = subprocess.run(
        [sys.executable, "-m", "reallab", "--folder", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"error: --folder: {tmp_path} is not empty, and no lab's\n")
    assert (tmp_path / "letter").read_text() == "dear"


@pytest.mark.parametrize("words", [["--machines", "0"], ["--machines", "17"]])
def test_a_number_of_machines_that_cannot_be_is_refused(words: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "reallab", *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.endswith("error: --machines: 1 to 16 expected\n")


def test_without_the_archive_it_says_what_it_could_not_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALLAB_MIRROR", "http://127.0.0.1:1/debian")
    with pytest.raises(DebianFailed, match=r"the list of packages from http://127\.0\.0\.1:1/debian: "):
        unpacked(tmp_path, "armhf", ("busybox-static",))
    assert list(tmp_path.iterdir()) == []
