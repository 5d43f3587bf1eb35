"""The boards' small HTTP client, against a real server and real sockets."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest

from simlab.http_calls import CallCounters, Caller, CallFailed
from tests.unit.simlab.lab import addresses
from tests.unit.simlab.web import Web

DELAYS = (0.01, 0.02)


def get(url: str, counters: CallCounters | None = None) -> bytes:
    return asyncio.run(Caller("127.0.0.1", counters or CallCounters(), DELAYS).get(url))


def answering(answer: bytes) -> str:
    """The URL of a server that gives the same bytes to every connection of the test."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            for _ in range(len(DELAYS) + 1):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/x"


def test_a_chunked_answer_is_put_together(web: Web) -> None:
    web.chunked = True
    web.config = '{"a": "b"}'
    assert get(f"{web.base('panda-0001')}/config") == b'{"a": "b"}'


def test_the_device_calls_from_its_own_address(web: Web) -> None:
    _, address = addresses()
    asyncio.run(Caller(address, CallCounters()).post(f"{web.base('panda-0001')}/event/maint_mode"))
    assert [call.source for call in web.calls] == [address]


def test_server_errors_are_tried_again_until_it_gives_up(web: Web) -> None:
    web.refusals = [(500, {}), (502, {}), (503, {})]
    counters = CallCounters()
    with pytest.raises(CallFailed, match=r"^GET config: status 503$"):
        get(f"{web.base('panda-0001')}/config", counters)
    assert counters == CallCounters(answered=0, tried_again=2, failed=1)
    assert len(web.calls) == 3


def test_a_refusal_is_final(web: Web) -> None:
    web.refusals = [(404, {})]
    with pytest.raises(CallFailed, match=r"^GET config: status 404$"):
        get(f"{web.base('panda-0001')}/config")
    assert len(web.calls) == 1


def test_a_server_that_comes_back_is_reached(tmp_path: Path) -> None:
    with Web(tmp_path) as gone:
        url = f"{gone.base('panda-0001')}/config"
        port = gone.port
    outage = 0.3

    def answer_later() -> None:
        time.sleep(outage)
        with socket.create_server(("127.0.0.1", port)) as listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=answer_later)
    thread.start()
    assert asyncio.run(Caller("127.0.0.1", CallCounters(), (outage * 2,)).get(url)) == b"{}"
    thread.join()


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    assert get(answering(b"HTTP/1.0 200 OK\r\n\r\nhello")) == b"hello"


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"", "IncompleteReadError"),
        (b"SSH-2.0-x\r\n\r\n", "BadAnswer: no HTTP status line: 'SSH-2.0-x'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "IncompleteReadError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "BadAnswer: Content-Length: -1"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n",
            "BadAnswer: a body of more than 1048576 bytes",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "BadAnswer: no chunk size"),
    ],
)
def test_an_answer_that_cannot_be_read_is_named(answer: bytes, complaint: str) -> None:
    with pytest.raises(CallFailed, match=f"^GET x: {complaint}"):
        get(answering(answer))
