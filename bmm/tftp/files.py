"""Opens what a TFTP request names, if it is a plain file below the root that everybody may read."""

import errno
import os
import re
import stat
from pathlib import Path

from bmm.tftp.wire import ACCESS, NOT_FOUND, Refused

_LONGEST_NAME = 255
# No part begins with a dot: no `..`, no temporary or hidden file.
_PART = re.compile(r"[A-Za-z0-9_+@=,:~^-][A-Za-z0-9_.+@=,:~^-]*", re.ASCII)
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# What a moment later is perhaps there again: descriptors, memory.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


def open_below(root: Path, name: str) -> tuple[int, int]:
    """Open a file for reading; give its descriptor and its size in bytes. `root` is resolved and absolute.

    A leading slash means the root itself, as boot loaders have it. Links may lead anywhere below the root, never
    out of it. Raises Refused, with the code and the text that the board is told; OSError when this machine has nothing
    left to open a file with.
    """
    parts = [part for part in name.split("/") if part]
    if not parts or len(name) > _LONGEST_NAME or not all(_PART.fullmatch(part) for part in parts):
        raise Refused(ACCESS, "that is no file name that this server gives")
    try:
        target = root.joinpath(*parts).resolve(strict=True)
        if root not in target.parents:
            raise Refused(ACCESS, "that file is outside of the TFTP root")
        handle = _open_without_links(root, target.relative_to(root).parts)
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            raise
        # RuntimeError: links that lead in a circle.
        absent = not isinstance(error, OSError) or error.errno in _ABSENT
        raise Refused(*((NOT_FOUND, "no such file") if absent else (ACCESS, "can't be read"))) from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & stat.S_IROTH:
        os.close(handle)
        raise Refused(ACCESS, "no plain file that everybody may read")
    return handle, found.st_size


def _open_without_links(root: Path, parts: tuple[str, ...]) -> int:
    """Walk a resolved path once more, folder by folder: what has become a link since it was resolved is refused."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Non-blocking: opening a named pipe would wait for a writer.
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
