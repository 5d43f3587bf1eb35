"""The tests themselves pass wherever they are started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_DEAD = "http://127.0.0.1:1"
_SHELL = {
    "MOZPOOL_SERVERS": "http://192.0.2.1:8000",
    "MOZPOOL_NO_SUCH_THING": "1",
    "DATABASE_URL_FILE": "/nowhere",
    **dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), _DEAD
    ),
}


@pytest.mark.parametrize(
    "chosen",
    [
        # Interrupts a program that it has started, and must see it obey.
        "tests/integration/commands/test_power.py::test_ctrl_c_leaves_the_work_and_says_so",
        # Asks a server of its own by HTTP, as httpx would by a proxy.
        "tests/integration/requests/test_waiting.py::test_nobody_waits_for_what_has_ended",
        "client/tests/test_run.py::test_a_signal_reaches_the_command_and_the_device_is_given_back",
    ],
)
def test_tests_pass_in_the_background_of_a_shell_that_knows_a_pool_and_a_proxy(chosen: str) -> None:
    pytest_alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", chosen]
    # What this session's own conftest has set is no part of a shell.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOZPOOL_", "DJANGO_"))}
    ran = subprocess.run(
        ["sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh", *pytest_alone],
        cwd=ROOT,
        env={**kept, **_SHELL},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
