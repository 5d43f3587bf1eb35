"""The web server as processes: what it lets through to the application, and how it ends, dies and comes back."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.web.server import (
    Answer,
    WebServer,
    answers,
    head,
    read_answer,
    seed,
    serving,
    until,
    variables,
)

STATE = "/api/device/panda-1/state/"
ORDER = "/api/device/any/request/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("web")
    seed(variables(made))
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[WebServer]:
    with serving(variables(folder), folder / "web.log") as running:
        yield running


@pytest.fixture
def own_server(folder: Path) -> Iterator[WebServer]:
    with serving(variables(folder), folder / "own.log") as running:
        yield running


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["error"]


def test_a_call_is_answered_with_every_header_that_keeps_browsers_safe(server: WebServer) -> None:
    answer = server.get(STATE)
    assert (answer.status, json.loads(answer.body)) == (200, {"state": "ready"})
    names = ("x-content-type-options", "x-frame-options", "referrer-policy", "cache-control")
    assert [answer.headers[name] for name in names] == ["nosniff", "DENY", "same-origin", "no-store"]
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_head_has_the_length_and_no_body(server: WebServer) -> None:
    with server.connect() as connection:
        connection.sendall(head("HEAD", STATE) + head("GET", STATE))
        first = read_answer(connection, has_body=False)
        assert (first.status, first.headers["content-length"]) == (200, "17")


def test_connections_are_kept_for_the_next_call(server: WebServer) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(head("GET", STATE))
            assert read_answer(connection).status == 200


@pytest.mark.parametrize(
    "header", ["X_Forwarded_For: 10.1.1.1", "X-Forwarded-For: 10.1.1.1", "Remote-Addr: 10.1.1.1"]
)
def test_nobody_changes_their_address_by_a_header(server: WebServer, header: str) -> None:
    assert server.get(STATE, header).status == 200  # the network of the connection itself is trusted


def test_behind_a_listed_proxy_the_forwarded_address_counts(folder: Path) -> None:
    with serving(variables(folder, MOZPOOL_TRUSTED_PROXIES="127.0.0.1/32"), folder / "proxy.log") as behind:
        assert error(behind.get(STATE, "X-Forwarded-For: 10.1.1.1")) == (401, "not_authenticated")
        assert error(behind.get(STATE, "X_Forwarded_For: 127.0.0.1")) == (401, "not_authenticated")


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(server: WebServer) -> None:
    with server.connect() as connection:
        connection.sendall(head("POST", ORDER, "Content-Length: 2", "Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert error(read_answer(connection)) == (400, "invalid")


def test_a_body_of_20_mb_is_heard_out_and_refused(server: WebServer) -> None:
    body = b"x" * 20_000_000
    answer = server.told(head("POST", ORDER, f"Content-Length: {len(body)}") + body)
    assert error(answer) == (413, "too_large")


def test_a_body_in_chunks_is_refused(server: WebServer) -> None:
    request = head("POST", ORDER, "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n"
    assert error(server.told(request)) == (411, "length_required")


@pytest.mark.parametrize("headers", [("Content-Length: 2", "Content-Length: 3"), ("Content-Length: -2",)])
def test_lengths_that_make_no_sense_are_refused(server: WebServer, headers: tuple[str, ...]) -> None:
    assert server.told(head("POST", ORDER, *headers) + b"{}").status == 400


def test_a_head_of_100_kb_is_refused(server: WebServer) -> None:
    assert server.get(STATE, f"X-Long: {'a' * 100_000}").status == 431


def test_a_foreign_host_is_refused_and_none_at_all_is_fine(server: WebServer) -> None:
    assert error(server.told(f"GET {STATE} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())) == (
        400,
        "invalid",
    )
    assert server.told(f"GET {STATE} HTTP/1.0\r\n\r\n".encode()).status == 200


def test_a_path_that_is_no_utf8_names_no_device(server: WebServer) -> None:
    assert error(server.get("/api/device/%ff%fe/state/")) == (404, "not_found")


def test_static_files_and_pages_are_served(server: WebServer) -> None:
    assert server.get("/admin/login/").headers["content-type"].startswith("text/html")
    assert server.get("/static/admin/css/base.css").headers["content-type"].startswith("text/css")


def test_slow_senders_keep_nobody_else_waiting(server: WebServer) -> None:
    slow = [server.connect() for _ in range(40)]
    try:
        for connection in slow:
            connection.sendall(head("POST", ORDER, "Content-Length: 100") + b"{")
        assert server.get(STATE).status == 200
    finally:
        for connection in slow:
            connection.close()


def test_a_call_in_hand_is_answered_before_the_server_ends(own_server: WebServer) -> None:
    with own_server.connect() as connection:
        connection.sendall(head("POST", ORDER, "Content-Length: 2", "Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # so it has begun
        own_server.process.send_signal(signal.SIGTERM)
        until(lambda: own_server.log.read_text().count("Stopping worker") == 2, own_server.log)
        connection.sendall(b"{}")
        assert error(read_answer(connection)) == (400, "invalid")
    assert own_server.process.wait(10) == 0


def test_a_killed_web_process_is_replaced(own_server: WebServer) -> None:
    before = own_server.workers()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(own_server.workers() - {victim}) == len(before) == 2, own_server.log)
    until(lambda: answers(own_server), own_server.log)


def test_web_processes_end_with_the_server_that_started_them(own_server: WebServer) -> None:
    orphans = [psutil.Process(pid) for pid in own_server.workers()]
    own_server.process.kill()
    gone, alive = psutil.wait_procs(orphans, 10)
    assert (len(gone), alive) == (2, [])


def test_a_wrong_address_is_named(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mozpool_site.serve", "--bind", "8000"],
        env=variables(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "--bind: HOST:PORT expected, got '8000'" in done.stderr) == (2, True)
