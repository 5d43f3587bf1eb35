"""Labs of real machines, each with a pool of its own; after a failure their consoles and logs are kept."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from reallab import artefacts, bridge
from reallab.__main__ import CACHE
from reallab.lab import RealLab, Wish, running
from reallab.network import Network, user_network
from tests.network import own_network
from tests.servers.redis import Redis

Labs = Callable[[Sequence[Wish], Network], AbstractContextManager[RealLab]]
Bridged = Callable[[Sequence[Wish]], Network]


@pytest.fixture
def user() -> Iterator[Network]:
    """Give QEMU's user networking, on addresses of this session's own."""
    with own_network() as network:
        yield user_network(f"{network}.7")


@pytest.fixture
def bridged() -> Iterator[Bridged]:
    """Give what makes a bridge for so many machines in a network namespace of this test's own."""
    if reason := bridge.why_not():
        pytest.skip(reason)
    with ExitStack() as stack:

        def make(wishes: Sequence[Wish]) -> Network:
            # From within the namespace nobody reaches Debian.
            for wish in wishes:
                artefacts.fetched(wish.kind, CACHE)
            stack.enter_context(bridge.namespace())
            return bridge.bridge(len(wishes))

        yield make


@pytest.fixture
def labs() -> Labs:
    """Give what runs a lab for the length of a `with`, and sees that nothing of it is left."""
    return _lab


@contextmanager
def _lab(wishes: Sequence[Wish], network: Network) -> Iterator[RealLab]:
    folder = Path(tempfile.mkdtemp(prefix="mozpool-real-"))
    print(f"logs, consoles and disks are in {folder}")
    with Redis() as broker:
        database = f"sqlite:///{folder / 'mozpool.sqlite3'}"
        with running(wishes, network, folder, CACHE, database, broker.socket_url) as lab:
            yield lab
            children = [
                child for child in psutil.Process().children(recursive=True) if child.pid != broker.pid
            ]
        _, left = psutil.wait_procs(children, timeout=5)
        assert left == []
    shutil.rmtree(folder)
