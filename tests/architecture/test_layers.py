"""The import contracts of pyproject.toml cover every package, and are seen to break when a layer is crossed."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import PRODUCTION, ROOT

LAYERED = [name for name in PRODUCTION if name != "client"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the project in `folder`."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the code that a test may spoil."""
    for name in [*LAYERED, "simlab", "reallab", "tests"]:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_app_is_in_the_layers() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = [contract["layers"] for contract in config["contracts"] if contract["type"] == "layers"]
    assert sorted(layers) == sorted(LAYERED)


@pytest.mark.parametrize(
    ("module", "imported", "broken"),
    [
        ("devices/crossing.py", "import lifeguard.apps", "requests_app asks lifeguard"),
        ("lifeguard/crossing.py", "import requests_app.apps", "requests_app asks lifeguard"),
        ("mozpool_site/clock_crossing.py", "import devices.apps", "requests_app asks lifeguard"),
        ("requests_app/crossing.py", "import pages.apps", "pages ask requests_app"),
        ("bmm/crossing.py", "import simlab", "nothing in production imports"),
        ("lifeguard/crossing.py", "import reallab", "nothing in production imports"),
        ("bmm/drivers/crossing.py", "import django", "drivers know bytes"),
        ("requests_app/planning/crossing.py", "import devices.models", "the pool's decisions are pure"),
        ("simlab/crossing.py", "import bmm.apps", "the simulated lab"),
    ],
)
def test_crossing_a_layer_is_found(copy: Path, module: str, imported: str, broken: str) -> None:
    (copy / module).write_text(f"{imported}\n")
    finished = lint_imports(copy)
    assert finished.returncode == 1
    assert re.search(rf"{re.escape(broken)}.*?BROKEN", " ".join(finished.stdout.split()))
