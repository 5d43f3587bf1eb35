"""Puts a process where no hardware can be reached: Python imports this by its name, before anything else.

Every connection and datagram of IP is refused and noted in the file that OUTSIDE_LOG names. The broker of these tests
is none, at 127.0.0.1:1, and is refused by the kernel.
"""

import errno
import os
import socket
from typing import Any

_BROKER = ("127.0.0.1", 1)


def _guard(name: str, place: int) -> None:
    real = getattr(socket.socket, name)

    def guarded(self: socket.socket, *words: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and words[place] != _BROKER:
            with open(os.environ["OUTSIDE_LOG"], "a", encoding="utf-8") as log:  # noqa: PTH123 - before anything else
                log.write(f"{name} {words[place]}\n")
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return real(self, *words)

    setattr(socket.socket, name, guarded)


if "OUTSIDE_LOG" in os.environ:
    for _name, _place in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        _guard(_name, _place)
