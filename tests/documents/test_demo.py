"""`make demo` as a newcomer gets it: the core alone is installed, no compiler, no server, and any shell."""

import re
import subprocess

import pytest

from tests.documents.conftest import HOSTILE, Demo

# The first of them installs packages and starts the demo.
pytestmark = pytest.mark.timeout(1200)


def test_the_demo_shows_two_requests_becoming_ready(demo: Demo) -> None:
    assert re.findall(r"request (\d) is ready on panda-\d{4}", demo.screen) == ["1", "2"]
    installed, reused = [*demo.screen.split("The same once more"), ""][:2]
    assert "extracting" in installed
    assert "extracting" not in reused


def test_the_printed_commands_reach_the_demo_from_a_shell_that_holds_anything(
    demo: Demo, newcomer: dict[str, str]
) -> None:
    typed = ". var/demo/environment && .venv/bin/python manage.py device_status"
    done = subprocess.run(
        ["sh", "-c", typed],
        cwd=demo.folder,
        env={**newcomer, **HOSTILE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^ panda-\d{4} ", done.stdout, re.MULTILINE)) == 24


def test_a_second_demo_in_the_same_folder_leaves_the_first_alone(
    demo: Demo, newcomer: dict[str, str]
) -> None:
    second = subprocess.run(
        ["make", "demo"], cwd=demo.folder, env=newcomer, capture_output=True, text=True, check=False
    )
    assert second.returncode != 0
    assert f"Another one runs already, in {demo.folder}/var/demo" in " ".join(second.stdout.split())
    assert (demo.folder / "var/demo/environment").exists()
