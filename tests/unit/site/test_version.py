"""The version that the APIs tell is that of the package."""

import tomllib
from pathlib import Path

from mozpool_site.version import VERSION

ROOT = Path(__file__).resolve().parents[3]


def test_the_apis_tell_the_packages_version() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
