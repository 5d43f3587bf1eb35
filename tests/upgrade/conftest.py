"""What the tests of upgrades share: the code of a release as git has it, and databases of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.mariadb import MariaDB

ROOT = Path(__file__).resolve().parents[2]
_FILL = ROOT / "tests" / "upgrade" / "old_rows.py"


@dataclass(frozen=True)
class Code:
    """A checkout of some commit, and the database that its commands work on."""

    folder: Path
    database: str

    def python(
        self, *words: str, source: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python in the checkout; return what it printed and its exit status."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**_clean(), "DATABASE_URL": self.database, "MOZPOOL_DEBUG": "true", **variables},
            input=source,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def must(self, *words: str, source: str | None = None, **variables: str) -> str:
        """Run a command that has to succeed; return what it printed."""
        ended = self.python("manage.py", *words, source=source, **variables)
        assert ended.returncode == 0, f"manage.py {' '.join(words)}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def counted(self, folder: Path) -> dict[str, int]:
        """Fill kinds that have no row, and return how many rows each table has."""
        told = folder / "counts"
        self.must("shell", source=_FILL.read_text(encoding="utf-8"), OLD_ROWS_COUNTED=str(told))
        return {
            table: int(number)
            for table, number in map(str.split, told.read_text(encoding="utf-8").splitlines())
        }


def _clean() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MOZPOOL_", "DJANGO_"))}


@pytest.fixture(params=["sqlite", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/old.sqlite3"
        return
    with MariaDB() as server:
        yield server.url


def checkout(commit: str, folder: Path) -> None:
    """Write a commit's files into a folder. Skip the test where the clone does not have the commit."""
    known = subprocess.run(
        ["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, check=False, capture_output=True
    )
    if known.returncode:
        pytest.skip(f"this clone is shallow: it lacks {commit}")
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
