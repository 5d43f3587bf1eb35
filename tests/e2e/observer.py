"""Looks into the pool's database from outside, by plain SQL, and lets long waits pass as fast as the boards run."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import MySQLdb

from tests.servers.mariadb import MariaDB

Row = tuple[object, ...]

# Seconds after which a hung board's state has lasted long enough: the boards run about 40 times faster, while the
# table's own times are those of real boards.
PATIENCE = {"pxe_booting": 7, "self_test_running": 20}
# The images' own columns, brought to the boards' speed in the same way.
QUICK_IMAGES = (
    "UPDATE devices_image SET download_timeout = 7, install_timeout = 8, verify_timeout = 4, verify_limit = 2, "
    "settle_seconds = 1"
)
_HURRY = (
    "UPDATE devices_device SET deadline = NOW(6) WHERE state = %s AND deadline > NOW(6) "
    "AND state_since < NOW(6) - INTERVAL %s SECOND"
)


class Observer:
    """Watches a database that may go away; as a context it keeps looking in a thread."""

    def __init__(self, database: MariaDB) -> None:
        self.database = database
        self.holders: dict[int, set[int]] = {}
        self.doubles: list[str] = []
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def ask(self, statement: str, *arguments: object) -> list[Row]:
        """Run one statement and give its rows; raises MySQLdb.OperationalError while the database is away."""
        connection = MySQLdb.connect(
            host="127.0.0.1",
            port=self.database.port,
            user="root",
            database="mozpool",
            connect_timeout=2,
            read_timeout=10,
            autocommit=True,
            init_command="SET time_zone='+00:00'",
        )
        try:
            cursor = connection.cursor()
            cursor.execute(statement, arguments)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def one(self, statement: str, *arguments: object) -> object:
        """Give the first column of the first row; None when there is none."""
        rows = self.ask(statement, *arguments)
        return rows[0][0] if rows else None

    def number(self, statement: str, *arguments: object) -> float:
        """Give the first column of the first row as a number; 0 for NULL and for no row."""
        return float(str(self.one(statement, *arguments) or 0))

    def states(self) -> dict[str, Mapping[str, int]]:
        """Count requests and devices by state."""
        return {
            "requests": Counter(str(row[0]) for row in self.ask("SELECT state FROM requests_app_request")),
            "devices": Counter(str(row[0]) for row in self.ask("SELECT state FROM devices_device")),
        }

    def wait_for(self, statement: str, wanted: float, seconds: float) -> float | None:
        """Wait until a query gives a number; give how long it took, None when it did not in time."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            try:
                if self.number(statement) == wanted:
                    return time.monotonic() - began
            except MySQLdb.OperationalError:
                pass  # away: that is what some tests do to it
            time.sleep(0.1)
        return None

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            try:
                self._look()
            except MySQLdb.OperationalError:
                continue  # away: that is what some tests do to it

    def _look(self) -> None:
        held = self.ask("SELECT held_by, id FROM devices_device WHERE held_by IS NOT NULL")
        counted = Counter(request for request, _ in held)
        self.doubles += [f"request {request} holds {n} devices" for request, n in counted.items() if n > 1]
        self.looks += 1
        for state, seconds in PATIENCE.items():
            self.ask(_HURRY, state, seconds)
