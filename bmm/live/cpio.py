"""Writes cpio archives in the newc format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

The same content gives the same bytes: no times, no owners, paths in order.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_MAGIC = "070701"
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A file, link, folder or device node; `mode` as in stat(2), `content` a link's target or a file's bytes."""

    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def file(content: bytes, *, executable: bool = False) -> Entry:
    """Make a plain file."""
    return Entry(stat.S_IFREG | (0o755 if executable else 0o644), content)


def link(target: str) -> Entry:
    """Make a symbolic link."""
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def folder() -> Entry:
    """Make a folder."""
    return Entry(stat.S_IFDIR | 0o755)


def node(major: int, minor: int) -> Entry:
    """Make a character device."""
    return Entry(stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Mapping[str, Entry]) -> bytes:
    """Give an archive of entries by path (relative, without a leading slash); missing folders are added.

    Raises ValueError for a path that is absolute or has `.` or `..` in it.
    """
    whole = dict(entries)
    for path in entries:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or str(pure) != path:
            raise ValueError(f"{path!r} is no plain relative path")
        for parent in pure.parents:
            if parent.parts:
                whole.setdefault(str(parent), folder())
    # A folder's path is the beginning of its files' paths, so it comes first.
    parts = [_record(number, path, whole[path]) for number, path in enumerate(sorted(whole), 1)]
    return b"".join([*parts, _record(0, _TRAILER, Entry(0))])


def _record(number: int, path: str, entry: Entry) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    size = len(entry.content)
    fields = (number, entry.mode, 0, 0, links, 0, size, 0, 0, *entry.device, len(name), 0)
    head = (_MAGIC + "".join(f"{field:08x}" for field in fields)).encode()
    return _padded(head + name) + _padded(entry.content)


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 4)
