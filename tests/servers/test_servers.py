"""The private servers do what the chaos tests ask of them, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import MySQLdb
import psutil
import pytest

from tests.servers.mariadb import MariaDB
from tests.servers.process import ServerFailed
from tests.servers.redis import Redis

ROOT = Path(__file__).resolve().parent.parent.parent


def gone(pid: int, seconds: float) -> bool:
    """Say whether a process is gone within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_redis_answers_by_port_and_by_socket_and_is_removed() -> None:
    with Redis() as server:
        pid, folder = server.pid, server.folder
        assert server.ask("SET", "bell", "rung") == b"+OK\r\n"
        assert server.socket_path.is_socket()
        assert server.url == f"redis://127.0.0.1:{server.port}/0"
    assert gone(pid, 1)
    assert not folder.exists()


def test_redis_forgets_on_a_flush_and_on_a_kill_and_keeps_its_port() -> None:
    with Redis() as server:
        port = server.port
        server.ask("SET", "bell", "rung")
        server.flush()
        assert server.ask("GET", "bell") == b"$-1\r\n"
        server.ask("SET", "bell", "rung")
        server.kill9()
        assert not server.running
        assert not server.answers()
        server.start()
        assert server.port == port
        assert server.ask("GET", "bell") == b"$-1\r\n"


def test_a_frozen_redis_takes_connections_and_answers_nobody_until_thawed() -> None:
    with Redis() as server:
        server.freeze()
        assert server.running
        assert not server.answers()
        server.thaw()
        assert server.answers()


def test_a_second_start_is_refused() -> None:
    with Redis() as server, pytest.raises(ServerFailed, match="runs already, as process"):
        server.start()


def test_mariadb_keeps_what_was_committed_when_it_is_killed() -> None:
    with MariaDB() as server:
        server.execute("CREATE TABLE mozpool.bells (id INT PRIMARY KEY) ENGINE=InnoDB")
        server.execute("INSERT INTO mozpool.bells VALUES (85)")
        server.kill9()
        with pytest.raises(MySQLdb.OperationalError):
            server.execute("SELECT 1")
        server.start()
        assert server.execute("SELECT id FROM mozpool.bells") == ((85,),)
        server.restart()
        assert server.execute("SELECT id FROM mozpool.bells") == ((85,),)


def test_mariadb_takes_options_and_is_durable_without_any(private_mariadb: MariaDB) -> None:
    assert private_mariadb.execute("SELECT @@innodb_flush_log_at_trx_commit, @@log_bin") == ((1, 0),)
    with MariaDB(["--innodb-flush-log-at-trx-commit=2"]) as server:
        assert server.execute("SELECT @@innodb_flush_log_at_trx_commit") == ((2,),)


def test_a_wrong_option_is_reported_with_the_servers_own_words() -> None:
    with pytest.raises(ServerFailed, match=r"(?s)mariadb ended at once.*Aborting"):
        MariaDB(["--no-such-option=1"]).__enter__()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Give a folder whose path leaves room for that of a unix socket (107 characters), which tmp_path may not."""
    with tempfile.TemporaryDirectory(prefix="mz-") as name:
        yield Path(name)


@pytest.mark.parametrize(
    ("number", "command"),
    [
        (signal.SIGTERM, "echo up; sleep 60 & wait"),
        (signal.SIGINT, "echo up; sleep 60 & wait"),
        # Nobody is left to end a grandchild when the runner itself is killed; the kernel ends its children.
        (signal.SIGKILL, "echo up; exec sleep 60"),
    ],
)
def test_a_runner_that_is_ended_leaves_no_process_behind(
    number: signal.Signals, command: str, short_folder: Path
) -> None:
    runner = subprocess.Popen(
        [sys.executable, "-m", "tests.servers", "run", "--mariadb", "--redis", "--", "sh", "-c", command],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(short_folder)},
        stdout=subprocess.PIPE,
    )
    assert runner.stdout is not None
    assert runner.stdout.readline() == b"up\n"
    children = [child.pid for child in psutil.Process(runner.pid).children(recursive=True)]
    assert len(children) >= 3
    os.kill(runner.pid, number)
    runner.wait(20)
    runner.stdout.close()
    assert [pid for pid in children if not gone(pid, 5)] == []
    if number != signal.SIGKILL:
        assert list(short_folder.iterdir()) == []


def test_the_runner_gives_urls_and_the_commands_own_status() -> None:
    shown = 'echo "$DATABASE_URL $MOZPOOL_BROKER_URL"; exit 7'
    finished = subprocess.run(
        [sys.executable, "-m", "tests.servers", "run", "--mariadb", "--redis", "--", "sh", "-c", shown],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 7
    assert finished.stdout.startswith("mysql://root@127.0.0.1:")
    assert "/mozpool redis://127.0.0.1:" in finished.stdout
