"""A part of 127.0.0.0/8 for each test session, so that two sessions on one machine don't want the same addresses."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Away from 127.0.0.1, from the default of seed_lab (127.64.0.0/12) and from what unit tests use.
_SECOND_BYTES = range(160, 240)
# Below the ports that the system hands out, and nobody's: bound for as long as the network is ours.
_LOCK_PORT = 20999


@contextmanager
def own_network() -> Iterator[str]:
    """Give the first two bytes of a network that is this session's own until the end of the `with`: `127.160`."""
    for byte in _SECOND_BYTES:
        with socket.socket() as lock:
            try:
                lock.bind((f"127.{byte}.255.254", _LOCK_PORT))
            except OSError:
                continue
            yield f"127.{byte}"
            return
    raise RuntimeError(
        f"no network of 127.{_SECOND_BYTES[0]} to 127.{_SECOND_BYTES[-1]} is free on this machine"
    )
