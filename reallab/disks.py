"""Builds what is written onto a machine's disk: a partition that it boots from, and one for its data.

The file systems are FAT, made by mtools, so that nobody needs to be root and U-Boot and SYSLINUX can read them.
"""

import shutil
import struct
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_MEGABYTE = 1024 * 1024
_SECTORS_IN_MEGABYTE = 2048
_FAT16 = 0x0E
_SECONDS = 60


class DisksFailed(Exception):
    """An image could not be built; the message says what to do."""


@dataclass(frozen=True)
class Partition:
    """A place on the disk, in megabytes."""

    start_mb: int
    size_mb: int


BOOT = Partition(1, 19)
"""What the installed system boots from, and never writes to."""
DATA = Partition(20, 4)
IMAGE_MB = DATA.start_mb + DATA.size_mb


def image(
    files: Mapping[str, bytes],
    folder: Path,
    boot_code: bytes = b"",
    finish: Callable[[Path], None] | None = None,
) -> bytes:
    """Give the bytes of a disk with files in its boot partition, by path; `folder` is for what is needed meanwhile.

    `boot_code` is what a PC's BIOS runs (440 bytes at most); `finish` may change the boot partition's file system.
    Raises DisksFailed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    boot, data = folder / "boot.fat", folder / "data.fat"
    _make_file_system(boot, BOOT)
    _make_file_system(data, DATA)
    folders: set[Path] = set()
    for path, content in files.items():
        source = folder / "file"
        source.write_bytes(content)
        for parent in reversed(Path(path).parents[:-1]):
            if parent not in folders:
                folders.add(parent)
                _run(["mmd", "-i", str(boot), f"::/{parent}"])
        _run(["mcopy", "-i", str(boot), str(source), f"::/{path}"])
    if finish:
        finish(boot)
    disk = bytearray(IMAGE_MB * _MEGABYTE)
    disk[: len(boot_code)] = boot_code
    disk[446:512] = _table(BOOT, DATA)
    for place, file in ((BOOT, boot), (DATA, data)):
        content = file.read_bytes()
        disk[place.start_mb * _MEGABYTE : place.start_mb * _MEGABYTE + len(content)] = content
    shutil.rmtree(folder)
    return bytes(disk)


def blank(path: Path, megabytes: int) -> None:
    """Make a disk on which nothing is; it takes no room before something is written."""
    with path.open("wb") as file:
        file.truncate(megabytes * _MEGABYTE)


def _table(*partitions: Partition) -> bytes:
    """Give a master boot record's four entries and its signature; the first partition is the one to boot."""
    entries = [
        # FE FF FF: too far for heads and cylinders; the numbers of sectors count.
        struct.pack(
            "<B3sB3sII", 0x80 if place is partitions[0] else 0, b"\xfe\xff\xff", _FAT16, b"\xfe\xff\xff",
            place.start_mb * _SECTORS_IN_MEGABYTE, place.size_mb * _SECTORS_IN_MEGABYTE,
        )
        for place in partitions
    ]  # fmt: skip
    return b"".join(entries).ljust(64, b"\0") + b"\x55\xaa"


def _make_file_system(path: Path, place: Partition) -> None:
    blank(path, place.size_mb)
    # Whole megabytes, so 32 sectors and 64 heads make whole cylinders.
    geometry = ["-t", str(place.size_mb), "-h", "64", "-s", "32"]
    hidden = str(place.start_mb * _SECTORS_IN_MEGABYTE)
    _run(["mformat", "-i", str(path), *geometry, "-H", hidden, "-N", "6d6f7a70", "::"])


def _run(words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError as error:
        raise DisksFailed(f"{words[0]} is not installed: it is in the package mtools") from error
    if done.returncode:
        raise DisksFailed(f"{' '.join(words)}: {done.stderr.strip()[:500]}")
