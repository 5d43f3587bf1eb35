"""Sees which connections this process opens, to tell a web process's business from that of a rack's worker."""

import ctypes.util
import socket
import subprocess
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection


def _allowed() -> set[Any]:
    """Give the addresses of the database and the broker."""
    broker, database = urlsplit(settings.CELERY_BROKER_URL), connection.settings_dict
    return {
        (broker.hostname, broker.port),
        (database["HOST"], int(database["PORT"] or 0)),
        database["HOST"],
        database.get("OPTIONS", {}).get("unix_socket"),
    }


@contextmanager
def none_but_database_and_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuse every other connection, datagram, look-up of a name and program; give the list of what was tried.

    Only what goes through Python's own sockets and subprocesses is seen, as all drivers do.
    """
    allowed, tried = _allowed(), list[str]()

    def refuse(what: str) -> None:
        tried.append(what)
        raise OSError(f"a web process must not: {what}")

    def watch(name: str, place: int) -> None:
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, *words: Any) -> Any:
            if words[place] not in allowed and self.family != socket.AF_UNIX:
                refuse(f"{name} {words[place]}")
            return real(self, *words)

        monkeypatch.setattr(socket.socket, name, guarded)

    watch("connect", 0)
    watch("connect_ex", 0)
    watch("sendto", -1)
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *words: Any, **named: Any) -> Any:
        if host not in {address[0] for address in allowed if isinstance(address, tuple)}:
            refuse(f"look-up of {host}")
        return look_up(host, *words, **named)

    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)

    def guarded_program(self: object, words: Any, *_: Any, **__: Any) -> None:
        # An import that looks for a shared library asks the linker: that concerns this host alone.
        if any(frame.filename == ctypes.util.__file__ for frame in traceback.extract_stack(limit=8)):
            raise FileNotFoundError("no linker")
        refuse(f"program {words}")

    monkeypatch.setattr(subprocess.Popen, "__init__", guarded_program)
    yield tried
