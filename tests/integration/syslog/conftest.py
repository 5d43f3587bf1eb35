"""A syslogd in this process, on a free port, and boards that speak from their own addresses."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db import connection

from bmm.syslog.daemon import Daemon, Plan
from devices.models import Device, Journal
from tests.network import own_network
from tests.servers.process import free_port

PATIENCE = 15.0


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    with own_network() as found:
        yield found


@dataclass(frozen=True)
class Board:
    """A device that sends from its address."""

    device: Device
    port: int

    def says(self, *messages: bytes) -> None:
        """Send datagrams."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((self.device.address, 0))
            for message in messages:
                udp.sendto(message, ("127.0.0.1", self.port))

    def stream(self) -> socket.socket:
        """Open a connection."""
        tcp = socket.socket()
        tcp.bind((self.device.address, 0))
        tcp.settimeout(PATIENCE)
        tcp.connect(("127.0.0.1", self.port))
        return tcp

    def journal(self) -> list[tuple[str, str]]:
        """Give event and message of each line from syslog, in order."""
        lines = Journal.objects.filter(device_id=self.device.pk, source="syslog")
        return list(lines.order_by("time", "pk").values_list("event", "message"))

    def heard(self, number: int) -> list[tuple[str, str]]:
        """Wait until so many lines are in the journal."""
        wait_for(lambda: len(self.journal()) >= number)
        return self.journal()


@contextmanager
def receiving(**plan: object) -> Iterator[int]:
    """Run a syslogd for the time of the block; give its port. At the end everything is stored."""
    port = free_port()
    daemon = Daemon(Plan(("127.0.0.1",), port, **plan))  # type: ignore[arg-type]  # as the test says
    stop = threading.Event()
    sound: list[bool] = []

    def run() -> None:
        sound.append(daemon.run(stop))
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: len(daemon._intake.senders) > 0 or not Device.objects.exists())
        yield port
    finally:
        stop.set()
        thread.join(30)
    assert sound == [True]
