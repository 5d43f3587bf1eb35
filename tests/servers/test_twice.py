"""`make test` tries once more, alone, what failed beside others: a disturbance passes and is named, a fault fails."""

import subprocess
import sys
from pathlib import Path

DISTURBED = """
import pathlib
import pytest

@pytest.mark.parametrize("word", ["one", "a b::c [d]"])
def test_disturbed(word):
    before = pathlib.Path(__file__).with_name(f"before-{word[0]}")
    if not before.exists():
        before.touch()
        pytest.fail("the machine stood still")
"""
FAULTY = """
def test_faulty(subtests):
    for number in range(3):
        with subtests.test(number=number):
            assert number

def test_sound():
    pass
"""


def run(folder: Path, processes: int = 0, **files: str) -> "subprocess.CompletedProcess[str]":
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    words = [
        sys.executable,
        "-m",
        "tests.twice",
        "-q",
        "-n",
        str(processes),
        f"--rootdir={folder}",
        str(folder),
    ]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_what_fails_beside_others_alone_is_named_and_passes(tmp_path: Path) -> None:
    ended = run(tmp_path, 2, disturbed=DISTURBED)
    assert ended.returncode == 0, ended.stdout
    first, _, second = ended.stdout.partition("=== 2 failed beside others; once more, alone:\n")
    assert "2 failed" in first
    assert "test_disturbed.py::test_disturbed[a b::c [d]]" in second
    assert "2 passed" in second
    assert "=== 2 failed beside others, and passed alone" in second


def test_a_fault_fails_twice(tmp_path: Path) -> None:
    ended = run(tmp_path, disturbed=DISTURBED, faulty=FAULTY)
    assert ended.returncode == 1, ended.stdout
    _, _, second = ended.stdout.partition("=== 3 failed beside others; once more, alone:\n")
    assert "2 passed" in second
    assert "contains 1 failed subtest" in second
    assert "passed alone" not in second


def test_much_that_fails_is_a_fault_at_once(tmp_path: Path) -> None:
    many = "\n".join(f"def test_{number}():\n    assert not {number + 1}" for number in range(13))
    ended = run(tmp_path, many=many)
    assert ended.returncode == 1
    assert "once more" not in ended.stdout
