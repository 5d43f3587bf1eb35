"""Fetches packages from Debian's archive for any processor, through an apt of its own: this machine's stays as it is.

What was fetched is kept, unpacked, below one folder; a second call for it asks nobody.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

# The release whose kernel, U-Boot and busybox were proved to boot; its files stay in the archive for years.
_RELEASE = "bookworm"
_MIRROR = "http://deb.debian.org/debian"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SECONDS = 300


class DebianFailed(Exception):
    """Packages could not be had; the message says why, and what to do."""


def unpacked(folder: Path, architecture: str, packages: Sequence[str]) -> Path:
    """Give a folder with the content of packages, fetched unless it is there; one that only names another is followed.

    Raises DebianFailed.
    """
    wish = " ".join(sorted(packages))
    root = folder / f"{architecture}-{hashlib.sha256(wish.encode()).hexdigest()[:12]}"
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    # Beside the place where it belongs, so that whoever else wants it at the same time sees all of it or nothing.
    with tempfile.TemporaryDirectory(prefix=f"{architecture}-", suffix=".part", dir=folder) as part:
        apt = _Apt(Path(part), architecture)
        apt.update()
        growing = Path(part) / "root"
        for file in apt.download([apt.real(name) for name in packages]):
            _run(["dpkg-deb", "--extract", str(file), str(growing)], f"unpacking {file.name}")
        _put(growing, root)
    return root


def _put(growing: Path, root: Path) -> None:
    try:
        growing.rename(root)
    except OSError:
        # Somebody else was quicker; what they have is the same.
        if not root.is_dir():
            raise


class _Apt:
    """An apt with its own lists, cache and sources, for one architecture; it installs nothing."""

    def __init__(self, folder: Path, architecture: str) -> None:
        if not Path(_KEYRING).is_file():
            raise DebianFailed(
                f"{_KEYRING} is missing: install the package debian-archive-keyring, by which packages are checked"
            )
        self._folder = folder.absolute()
        for part in ("lists/partial", "cache/archives/partial", "files"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        mirror = os.environ.get("REALLAB_MIRROR", _MIRROR)
        sources = self._folder / "sources.list"
        sources.write_text(f"deb [arch={architecture} signed-by={_KEYRING}] {mirror} {_RELEASE} main\n")
        options = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
            "Dir::State": str(self._folder),
            "Dir::State::lists": str(self._folder / "lists"),
            "Dir::State::status": str(self._folder / "status"),
            "Dir::Cache": str(self._folder / "cache"),
            "Dir::Etc::sourcelist": str(sources),
            "Dir::Etc::sourceparts": "/dev/null",
        }
        self._options = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def update(self) -> None:
        """Read what there is."""
        what = f"reading the list of packages from {os.environ.get('REALLAB_MIRROR', _MIRROR)}"
        _run(["apt-get", *self._options, "update", "-q", "-q", "--error-on=any"], what)

    def real(self, name: str) -> str:
        """Give the package that a metapackage for kernels stands for; any other name as it is."""
        if not name.startswith("linux-image-"):
            return name
        told = _run(["apt-cache", *self._options, "depends", "--important", name], f"looking for {name}")
        found = [line.split()[-1] for line in told.splitlines() if "Depends: linux-image-" in line]
        return found[0] if found else name

    def download(self, names: Sequence[str]) -> list[Path]:
        """Fetch packages; give their files."""
        files = self._folder / "files"
        _run(
            ["apt-get", *self._options, "download", "-q", "-q", *names], f"fetching {', '.join(names)}", files
        )
        return sorted(files.glob("*.deb"))


def _run(words: list[str], what: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise DebianFailed(
            f"{what}: there is no {words[0]} here; the lab needs Debian or its like"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DebianFailed(f"{what}: not done after {_SECONDS} s; is the network there?") from error
    if done.returncode:
        raise DebianFailed(
            f"{what}: {words[0]} ended with {done.returncode}; is the network there?\n{done.stderr.strip()[-1500:]}"
        )
    return done.stdout
