"""Servers for the tests, and an environment that knows nothing of the developer's own pool."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from contract_server import Connect, ContractServer, serving
from mozpool_client import Mozpool


@pytest.fixture(autouse=True)
def no_pool_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the configuration of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("MOZPOOL_", "_MOZPOOL_", "SSL_CERT_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(autouse=True, scope="session")
def signals_as_in_a_terminal() -> None:
    """Undo what nohup or a shell's & has set: the programs that tests start would ignore the signals sent to them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """Give a pool of one server."""
    with serving() as running:
        yield running


@pytest.fixture
def dead_url() -> Iterator[str]:
    """Give the URL of a server that refuses every connection: its port is bound, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Give what makes clients."""
    with ExitStack() as clients:

        def make(servers: list[str], *words: Any, **options: Any) -> Mozpool:
            return clients.enter_context(Mozpool(servers, *words, **options))

        yield make
