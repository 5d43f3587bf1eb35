"""The web server as processes that can reach no hardware: old clients are answered all the same, and hold no thread."""

import json
import select
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.web.server import (
    ROOT,
    Answer,
    WebServer,
    head,
    read_answer,
    seed,
    serving,
    until,
    variables,
)
from tests.servers.process import die_with_parent
from tests.unit.bmm.tcp_server import RelayBoard

MANY = 80
_MORE = """
from devices.models import Device, PowerController, Rack
rack, first = Rack.objects.get(), Device.objects.get()
PowerController.objects.create(name="relay-1", rack=rack, address="{board}")
for number in range(2, 82):
    Device.objects.create(name=f"panda-{{number}}", fqdn=f"panda-{{number}}.test", mac=f"{{number:012x}}", rack=rack,
        hardware_type=first.hardware_type, environment="e", state="ready", address="127.0.0.1")
Device.objects.filter(pk=first.pk).update(address="127.0.0.1")
"""


@pytest.fixture(scope="module")
def board() -> Iterator[RelayBoard]:
    with RelayBoard() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, board: RelayBoard) -> Path:
    made = tmp_path_factory.mktemp("web")
    seed(variables(made))
    script = ["shell", "-v0", "-c", _MORE.format(board=board.address)]
    subprocess.run([sys.executable, "manage.py", *script], cwd=ROOT, env=variables(made), check=True)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[WebServer]:
    """Run web processes that can reach nothing; whatever they tried is a fault."""
    tried = folder / "tried"
    outside = {
        "PYTHONPATH": str(Path(__file__).parent / "outside"),
        "OUTSIDE_LOG": str(tried),
        "MOZPOOL_TRUSTED_OPERATOR_NETWORKS": "127.0.0.1/32",
        "MOZPOOL_WEB_THREADS": "4",
    }
    with serving(variables(folder, **outside), folder / "web.log") as running:
        yield running
    assert not tried.exists(), tried.read_text()


@pytest.fixture
def worker(folder: Path) -> Iterator[None]:
    """Do the rack's work in a process that can reach all."""
    log = folder / "pulse.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "pulse", "--no-bells"],
            cwd=ROOT,
            env=variables(folder, MOZPOOL_TFTP_ROOT=str(folder)),
            stdout=file,
            stderr=file,
            preexec_fn=die_with_parent(),
        )
    until(lambda: rows(folder, "SELECT 1 FROM devices_rack WHERE pulse_seen IS NOT NULL") != [], log)
    yield
    process.terminate()
    process.wait(40)


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    """Ask the database."""
    with closing(sqlite3.connect(folder / "db.sqlite3", timeout=20)) as connection:
        return connection.execute(query).fetchall()


def told(answer: Answer) -> tuple[int, object]:
    return answer.status, json.loads(answer.body)


def test_eighty_pings_that_nobody_answers_hold_up_no_other_call(server: WebServer, folder: Path) -> None:
    callers = [server.connect() for _ in range(MANY)]
    for number, caller in enumerate(callers, 1):
        caller.sendall(head("GET", f"/api/device/panda-{number}/ping/"))
    until(
        lambda: rows(folder, "SELECT COUNT(*) FROM bmm_operation WHERE kind = 'ping'") == [(MANY,)],
        server.log,
    )
    others = [server.get(f"/api/device/panda-{number}/state/").status for number in range(1, 41)]
    waiting = set(callers) - set(select.select(callers, [], [], 0)[0])
    # Forty others were served while all of them waited: far more than there are threads.
    assert (others, len(waiting)) == ([200] * 40, MANY)
    answers = [read_answer(caller) for caller in callers]
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "2")}
    assert json.loads(answers[0].body) == {
        "error": "unavailable",
        "detail": "nobody pinged in 10 s; does a worker of rack a run?",
    }
    assert rows(folder, "SELECT DISTINCT status FROM bmm_operation") == [("superseded",)]
    for caller in callers:
        caller.close()


def test_a_sound_board_passes_although_the_web_cannot_reach_it(
    server: WebServer, worker: None, board: RelayBoard, folder: Path
) -> None:
    assert told(server.get("/api/relay/relay-1/test/")) == (200, {"success": True})
    assert told(server.get("/api/relay/relay-1/test")) == (200, {"success": True})
    # Its own two-way test, and nothing else.
    assert set(board.commands) == {bytes((254, 33))}
    assert rows(folder, "SELECT last_error, last_contact IS NULL FROM devices_powercontroller") == [("", 0)]


def test_a_device_is_pinged_from_its_rack(server: WebServer, worker: None) -> None:
    assert told(server.get("/api/device/panda-1/ping/")) == (200, {"success": True})


def test_outlets_are_read_by_a_worker_and_followed_by_small_calls(
    server: WebServer, worker: None, board: RelayBoard
) -> None:
    with server.connect() as connection:
        connection.sendall(
            head("POST", "/api/v2/power-controllers/relay-1/read-outlets/", "Content-Length: 0")
        )
        status, begun = told(read_answer(connection))
    assert status == 202
    assert isinstance(begun, dict)
    path = f"/api/v2/operations/{begun['operation']['id']}/"

    def now() -> dict[str, object]:
        found = told(server.get(path))[1]
        assert isinstance(found, dict)
        return found

    until(lambda: now()["finished"] is not None, server.log)
    read = now()
    assert (read["status"], read["device"], read["controller"]) == ("done", None, "relay-1")
    assert isinstance(read["found"], dict)
    assert set(read["found"]["power"].values()) == {True}


def test_who_may_not_ask_and_what_is_not_there_is_told_at_once(server: WebServer) -> None:
    assert server.get("/api/relay/nosuch/test/").status == 404
    assert server.get("/api/device/nosuch/ping/").status == 404
    assert server.told(head("POST", "/api/relay/relay-1/test/", "Content-Length: 0")).status == 405
    assert server.told(head("HEAD", "/api/relay/relay-1/test/")).status == 405
    body = server.told(head("GET", "/api/relay/relay-1/test/", "Content-Length: 1") + b"x")
    assert body.status == 400


def test_a_caller_who_goes_away_leaves_nothing_behind_that_waits(server: WebServer, folder: Path) -> None:
    gone = server.connect()
    gone.sendall(head("GET", "/api/device/panda-3/ping/"))
    until(lambda: rows(folder, "SELECT 1 FROM bmm_operation WHERE status = 'queued'") != [], server.log)
    gone.shutdown(socket.SHUT_RDWR)
    gone.close()
    assert server.get("/api/device/panda-3/state/").status == 200
    until(lambda: rows(folder, "SELECT 1 FROM bmm_operation WHERE status = 'queued'") == [], server.log)
