"""One MariaDB, one Redis and one pool of 100 devices for all end-to-end tests, each of which leaves it settled."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from simlab.pool import Pool, PoolPlan
from tests.e2e.observer import QUICK_IMAGES, Observer
from tests.network import own_network
from tests.servers.mariadb import MariaDB
from tests.servers.redis import Redis

DEVICES = 100
SPEED = 40.0


@pytest.fixture(scope="session")
def e2e_pool(
    private_mariadb: MariaDB, private_redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pool]:
    """Give a pool of two racks with a worker and a pulse each, and a second pulse over both."""
    with own_network() as network:
        yield from run(private_mariadb, private_redis, tmp_path_factory.mktemp("e2e"), network)


def run(database: MariaDB, broker: Redis, folder: Path, network: str) -> Iterator[Pool]:
    """Run the pool on a network of its own, and see that it leaves no process behind."""
    plan = PoolPlan(
        database_url=database.url,
        broker_url=broker.url,
        racks=2,
        devices=DEVICES,
        speed=SPEED,
        seed=("--network", f"{network}.0.0/16", "--seed", "7"),
        per_rack=True,
        web_threads=12,
    )
    with Pool(plan, folder) as pool:
        pool.start_process("pulse")
        Observer(database).ask(QUICK_IMAGES)
        yield pool
        here = {database.pid, broker.pid, os.getpid()}
        children = [child for child in psutil.Process().children(recursive=True) if child.pid not in here]
        assert len(children) > len(("web", "lab", "worker.p1", "worker.p2", "pulse.p1", "pulse.p2", "pulse"))
    _, left = psutil.wait_procs(children, timeout=3)
    assert left == []


@pytest.fixture
def observer(e2e_pool: Pool, private_mariadb: MariaDB) -> Iterator[Observer]:
    """Watch the pool's database for the length of a test."""
    with Observer(private_mariadb) as watching:
        yield watching
