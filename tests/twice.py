"""Runs pytest as `python -m tests.twice PYTEST-ARGUMENTS`, and what fails beside others once more, alone.

Many tests hold processes, sockets and servers to their promises in seconds, and a machine that has too much to do, or
stands still for a while, breaks some of these for anybody. A fault fails twice; what fails once is named all the same.
"""

import subprocess
import sys
from pathlib import Path

import pytest

# More than a busy machine has ever made fail: more is a fault, and alone they would take too long.
_MOST = 12


class _Failed:
    """Notes which tests have failed, in whichever process they ran."""

    def __init__(self) -> None:
        self.tests: dict[str, None] = {}
        self._root = Path()

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Note where the names of tests begin."""
        self._root = session.config.rootpath

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one that has failed, be it before, in or after the test itself."""
        if report.failed:
            self.tests[str(self._root / report.nodeid)] = None


def main(arguments: list[str]) -> int:
    """Run pytest, perhaps twice; return its exit status."""
    failed = _Failed()
    status = pytest.main(arguments, plugins=[failed])
    if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(failed.tests) <= _MOST:
        return int(status)
    count = len(failed.tests)
    print(f"=== {count} failed beside others; once more, alone:", *failed.tests, sep="\n", flush=True)
    options = [argument for argument in arguments if not Path(argument).exists()]
    again = subprocess.run([sys.executable, "-m", "pytest", *options, "-n", "0", *failed.tests], check=False)
    if not again.returncode:
        print(
            f"=== {count} failed beside others, and passed alone: the machine was busy, or they are to be mended"
        )
    return again.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
