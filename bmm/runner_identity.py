"""The name under which this thread claims work; unique cluster-wide, so that a lease tells who holds it."""

import os
import secrets
import socket
import threading

_PROCESS = f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(3)}"


def runner_name() -> str:
    """Give host, process and thread, 64 characters at most."""
    return f"{_PROCESS}:{threading.get_ident() % 1_000_000}"[:64]
