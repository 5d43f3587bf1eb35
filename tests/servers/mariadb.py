"""A private MariaDB with durable defaults, an empty database `mozpool` and a root without password on loopback."""

import os
import shutil
import subprocess
from collections.abc import Sequence

import MySQLdb

from tests.servers.process import Server, ServerFailed

_ANSWER_SECONDS = 1


def _program(*names: str) -> str:
    """Find one of a program's names, also in sbin folders that a user's PATH may lack."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    for name in names:
        found = shutil.which(name, path=path)
        if found is not None:
            return found
    msg = f"{names[0]} is missing; as root: apt-get install mariadb-server-core"
    raise ServerFailed(msg)


class MariaDB(Server):
    """A MariaDB on a free port of 127.0.0.1; `options` are added to its command line."""

    name = "mariadb"

    def __init__(self, options: Sequence[str] = ()) -> None:
        super().__init__()
        self._options = tuple(options)
        self._data = self.folder / "data"

    @property
    def url(self) -> str:
        """Give the URL of the database `mozpool`."""
        return f"mysql://root@127.0.0.1:{self.port}/mozpool"

    def start(self) -> None:
        """Make the data folder if this is the first start, start the server, and make the database."""
        if not self._data.exists():
            self._install()
        super().start()
        self.execute("CREATE DATABASE IF NOT EXISTS mozpool CHARACTER SET utf8mb4")

    def _install(self) -> None:
        finished = subprocess.run(
            [
                _program("mariadb-install-db", "mysql_install_db"),
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--datadir={self._data}",
                *self._as_root(),
            ],
            # A server that starts tidies its folder of temporary tables, and would take those of another one.
            env={**os.environ, "TMPDIR": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            msg = f"mariadb-install-db failed:\n{finished.stdout}{finished.stderr}"
            raise ServerFailed(msg)

    @staticmethod
    def _as_root() -> list[str]:
        # The server refuses to run as root unless told so, and inside containers there is often nobody else.
        return ["-uroot"] if os.geteuid() == 0 else []

    def command(self) -> list[str]:
        """Give the argument list; no binary log, all else as delivered (so every commit reaches the disk)."""
        return [
            _program("mariadbd", "mysqld"),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--socket={self.folder / 'mariadb.sock'}",
            f"--tmpdir={self.folder}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-log-bin",
            *self._as_root(),
            *self._options,
        ]

    def execute(self, statement: str) -> tuple[tuple[object, ...], ...]:
        """Run one SQL statement as root, outside any database, and give its rows."""
        connection = MySQLdb.connect(
            host="127.0.0.1", port=self.port, user="root", connect_timeout=_ANSWER_SECONDS, autocommit=True
        )
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            rows: tuple[tuple[object, ...], ...] = cursor.fetchall()
            return rows
        finally:
            connection.close()

    def answers(self) -> bool:
        """Say whether a query is answered."""
        try:
            return self.execute("SELECT 1") == ((1,),)
        except MySQLdb.OperationalError:
            return False
