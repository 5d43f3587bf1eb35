"""A real worker on a real broker that is flushed, frozen, killed and restarted: what the Celery settings promise.

Publishing goes through a process of its own with the same settings, as the web process would.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.process import die_with_parent
from tests.servers.redis import Redis

ROOT = Path(__file__).resolve().parent.parent.parent
# Rings and prints, for each bell, what happened and the milliseconds that it took.
RING = """
import sys, time
from kombu.exceptions import OperationalError
from tests.servers.bells import bell
path, queue, *texts = sys.argv[1:]
for text in texts:
    start = time.perf_counter()
    try:
        bell.apply_async((path, text), queue=queue)
        told = "ok"
    except OperationalError:
        told = "unreachable"
    print(told, round(1000 * (time.perf_counter() - start)))
"""


class Rack:
    """A worker on the queue of one rack, its broker, and the file that its bells write."""

    def __init__(self, broker: Redis, folder: Path) -> None:
        self.broker = broker
        self.file = folder / "rung"
        self.file.touch()
        self.log = folder / "worker.log"
        database = f"sqlite:///{folder}/worker.sqlite3"
        self.variables = {**os.environ, "MOZPOOL_BROKER_URL": broker.url, "DATABASE_URL": database}
        # A worker starts on no other schema than its own.
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=ROOT, env={**self.variables, "MOZPOOL_DEBUG": "true"}, check=True)
        words = ["-m", "celery", "-A", "mozpool_site", "worker", "-Q", "rack.p1", "-I", "tests.servers.bells"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO"]
        with self.log.open("wb") as log:
            self.worker = subprocess.Popen(
                [sys.executable, *words, *quiet],
                cwd=ROOT,
                env=self.variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def ring(self, *texts: str, queue: str = "rack.p1") -> list[tuple[str, int]]:
        """Ring bells from another process; give for each what was told, and the milliseconds it took."""
        finished = subprocess.run(
            [sys.executable, "-c", RING, str(self.file), queue, *texts],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return [(told, int(spent)) for told, spent in map(str.split, finished.stdout.splitlines())]

    def heard(self, text: str, seconds: float) -> bool:
        """Say whether the worker has run the bell `text` within so many seconds."""
        end = time.monotonic() + seconds
        while text not in self.file.read_text(encoding="utf-8").split():
            if time.monotonic() > end or self.worker.poll() is not None:
                return False
            time.sleep(0.01)
        return True

    def end(self) -> None:
        """Kill the worker."""
        self.worker.kill()
        self.worker.wait()


@pytest.fixture
def rack(tmp_path: Path) -> Iterator[Rack]:
    with Redis() as broker:
        made = Rack(broker, tmp_path)
        yield made
        made.end()


def test_a_bell_is_heard_through_a_flush_a_freeze_and_a_restart(rack: Rack) -> None:
    assert rack.ring("first")[0][0] == "ok"
    assert rack.heard("first", 15), rack.log.read_text()

    rack.broker.flush()
    assert rack.ring("flushed")[0][0] == "ok"
    assert rack.heard("flushed", 2)

    rack.broker.freeze()
    for told, spent in rack.ring("frozen1", "frozen2"):
        assert told == "unreachable"
        assert spent < 1000
    rack.broker.thaw()

    rack.broker.kill9()
    for told, spent in rack.ring("dead1", "dead2"):
        assert told == "unreachable"
        assert spent < 1000
    rack.broker.start()
    assert rack.ring("restarted")[0][0] == "ok"
    assert rack.heard("restarted", 10)
    assert rack.worker.poll() is None


def test_a_worker_finishes_its_task_when_the_broker_goes_and_when_it_is_told_to_stop(rack: Rack) -> None:
    send = "bell.apply_async([*sys.argv[1:], 2.0], queue='rack.p1')"
    ring_slow = f"import sys; from tests.servers.bells import bell; {send}"
    rack.ring("up")
    assert rack.heard("up", 15), rack.log.read_text()
    slow = [sys.executable, "-c", ring_slow, str(rack.file)]
    subprocess.run([*slow, "broker-gone"], cwd=ROOT, env=rack.variables, check=True)
    time.sleep(0.3)
    rack.broker.kill9()
    time.sleep(0.5)
    rack.broker.start()
    assert rack.heard("broker-gone", 5)

    rack.ring("back")
    assert rack.heard("back", 10)
    subprocess.run([*slow, "told-to-stop"], cwd=ROOT, env=rack.variables, check=True)
    time.sleep(0.3)
    rack.worker.terminate()
    assert rack.worker.wait(10) == 0
    assert "told-to-stop" in rack.file.read_text(encoding="utf-8").split()


def test_a_bell_for_no_rack_is_refused_before_it_is_sent(rack: Rack) -> None:
    with pytest.raises(AssertionError, match="Queue 'celery' missing from task_queues"):
        rack.ring("lost", queue="celery")
