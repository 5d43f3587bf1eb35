"""What a part of the benches stands on: a private MariaDB with its durable defaults, a private Redis, a folder."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import MySQLdb

from simlab.pool import Pool, PoolPlan
from tests.servers.mariadb import MariaDB
from tests.servers.redis import Redis

# The design's rack: about 80 boards.
RACK = 80
# Simulated hardware of the benches, apart from that of a demo or of tests that run on the same machine.
NETWORK = ("--network", "127.128.0.0/12")
# As a server is set up: in debug mode Django keeps every query, which costs a tenth of the time.
PRODUCTION = {
    "MOZPOOL_DEBUG": "false",
    "MOZPOOL_HTTPS": "false",
    "MOZPOOL_SECRET_KEY": secrets.token_hex(40),
    # The load generator is one owner.
    "MOZPOOL_MAX_OPEN_REQUESTS": "0",
}
Rows = tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Ground:
    """Private servers and a folder, for the time of one part."""

    database: MariaDB
    broker: Redis
    folder: Path

    def plan(self, *, racks: int, devices: int, lab: bool = False, speed: float = 1.0) -> PoolPlan:
        """Plan a pool on these servers."""
        return PoolPlan(
            database_url=self.database.url,
            broker_url=self.broker.url,
            racks=racks,
            devices=devices,
            lab=lab,
            speed=speed,
            seed=NETWORK,
            environment=PRODUCTION,
        )


class Sql:
    """A connection of the bench's own to a pool's database: it looks, and sets the scene, past the application."""

    def __init__(self, database: MariaDB) -> None:
        self._connection = MySQLdb.connect(
            host="127.0.0.1", port=database.port, user="root", db="mozpool", autocommit=True
        )

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> Rows:
        """Run a statement and give its rows."""
        cursor = self._connection.cursor()
        cursor.execute(statement, parameters or None)
        found: Rows = cursor.fetchall()
        return found

    def number(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement that gives one whole number."""
        return int(str(self.rows(statement, parameters)[0][0]))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def ground() -> Iterator[Ground]:
    """Start the servers; remove everything at the end."""
    # A short path: the lab's control socket may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="mozpool-bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        database = stack.enter_context(MariaDB())
        broker = stack.enter_context(Redis())
        yield Ground(database, broker, folder)


@contextmanager
def seeded(plan: PoolPlan, folder: Path, *, devices: bool = True) -> Iterator[Pool]:
    """Give a pool whose tables and rows are there, and whose processes the caller starts; ends them all.

    Without `devices` the tables are empty.
    """
    pool = Pool(plan, folder)
    try:
        if devices:
            pool.seed()
        else:
            pool.manage("migrate", "-v", "0")
        yield pool
    finally:
        pool.stop()


@contextmanager
def looking(database: MariaDB) -> Iterator[Sql]:
    """Give a connection, and close it."""
    sql = Sql(database)
    try:
        yield sql
    finally:
        sql.close()
