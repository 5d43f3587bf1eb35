"""Somebody who waits for many requests at once, each over a connection of its own, and notes when news comes.

Run as a program it takes orders, as tests.bench.child has them.
"""

import json
import selectors
import socket
import time
from typing import Any

from tests.bench.child import Order, serve
from tests.bench.load import get

_CHUNK = 1 << 16
_open: dict[int, socket.socket] = {}


def answer(order: Order) -> Order:
    """Carry out {port, requests, wait}: begin to wait; or {collect: seconds}: give what came, by request."""
    if "requests" in order:
        for number in order["requests"]:
            connection = socket.create_connection(("127.0.0.1", order["port"]), timeout=30)
            connection.sendall(get(f"/api/v2/requests/{number}/?wait={order['wait']}", order["port"]))
            _open[number] = connection
        return {"waiting": len(_open)}
    return _collect(order["collect"])


def _collect(seconds: float) -> Order:
    """Wait until all are answered, or the time is up; moments are of the clock that all processes share."""
    came: dict[str, Any] = {}
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for number, connection in _open.items():
            selector.register(connection, selectors.EVENT_READ, number)
        while _open and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                number = int(key.data)
                connection = _open.pop(number)
                moment = time.monotonic()
                selector.unregister(connection)
                came[str(number)] = {"at": moment, **_read(connection)}
                connection.close()
    return {"came": came}


def _read(connection: socket.socket) -> Order:
    head, _, body = connection.recv(_CHUNK).partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(_CHUNK)
    return {"status": int(head.split()[1]), "state": json.loads(body).get("state")}


if __name__ == "__main__":
    serve(answer)
