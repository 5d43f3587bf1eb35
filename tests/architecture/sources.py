"""Which files the architecture tests look at: those that git knows, or would add."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCTION = ("mozpool_site", "devices", "bmm", "lifeguard", "requests_app", "pages", "client")


@cache
def tracked() -> tuple[Path, ...]:
    """Give every file of the project that is there: known to git, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return tuple(path for name in sorted(set(names)) if name and (path := ROOT / name).is_file())


def production_modules() -> list[Path]:
    """Give the Python files that run in production or in the lab, except migrations."""
    return [
        path
        for path in tracked()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] in (*PRODUCTION, "simlab", "reallab", "scripts")
        and "migrations" not in path.parts
    ]


def text_files() -> list[Path]:
    """Give every file that is text in UTF-8."""
    return [path for path in tracked() if b"\0" not in path.read_bytes()[:8192]]
