"""`make demo` as a newcomer gets it: nothing installed but the core, no compiler, no server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
BARE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="module")
def core_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the Python of a virtual environment with requirements-core.txt alone."""
    folder = tmp_path_factory.mktemp("core")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    requirements = str(ROOT / "requirements-core.txt")
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
    return python


def test_the_demo_shows_two_requests_becoming_ready_and_leaves_no_process(core_python: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MOZPOOL_")}
    variables.pop("DATABASE_URL", None)
    shown = subprocess.run(
        [str(core_python), "-m", "simlab.demo", "--exit", "--speed", "30"],
        cwd=ROOT,
        env={**variables, "PATH": BARE_PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert re.findall(r"request (\d) is ready on panda-\d{4}", shown.stdout) == ["1", "2"]
    installed, reused = [*shown.stdout.split("The same once more"), ""][:2]
    assert "extracting" in installed
    assert "extracting" not in reused
    left = [process for process in psutil.process_iter(["cmdline"]) if _is_ours(process, core_python)]
    assert left == []


def _is_ours(process: psutil.Process, python: Path) -> bool:
    return str(python) in (process.info["cmdline"] or [])
