"""What boards send by UDP and TCP stands in their journal, each under its own name, and nobody else's does."""

import logging
import time

import pytest

from bmm.syslog import daemon as daemon_module
from bmm.syslog.models import LogPattern
from devices.models import Journal
from mozpool_site import clock
from tests.factories import make_device, make_rack
from tests.integration.syslog.conftest import Board, receiving, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_lines_by_udp_and_by_tcp_become_lines_of_the_sender(network: str) -> None:
    first, second = make_device(address=f"{network}.9.1"), make_device(address=f"{network}.9.2")
    began = clock.now()
    with receiving() as port:
        one, two = Board(first, port), Board(second, port)
        one.says(b"<13>Nov 22 19:00:00 liar kernel: hello", b"<13>1 - - app 7 - - caf\xc3\xa9\n")
        with two.stream() as tcp:
            tcp.sendall(b"<13>Nov 22 19:00:00 app: first\n14 <13>app: count")
            assert two.heard(2) == [("", "app: first"), ("", "app: count")]
            tcp.sendall(b"no end of a line")
        assert two.heard(3)[2] == ("", "no end of a line")
        assert one.heard(2) == [("", "kernel: hello"), ("", "app[7]: café")]
    times = Journal.objects.filter(device_id=first.pk).values_list("time", "request_id", "actor")
    assert all(
        began <= moment <= clock.now() and request is None and actor == "" for moment, request, actor in times
    )


def test_strangers_are_counted_and_told_of_in_one_line(
    network: str, caplog: pytest.LogCaptureFixture
) -> None:
    known, stranger = make_device(address=f"{network}.9.1"), make_device(address=f"{network}.9.1")
    stranger.address = f"{network}.9.3"
    known.address = f"{network}.9.4"
    known.save(update_fields=["address"])
    caplog.set_level(logging.WARNING, "bmm.syslog.daemon")
    with receiving() as port:
        Board(stranger, port).says(*[b"<13>x"] * 50)
        with Board(stranger, port).stream() as tcp:
            assert tcp.recv(1) == b""
        Board(known, port).says(b"<13>mine")
        Board(known, port).heard(1)
    assert not Journal.objects.exclude(device_id=known.pk).exists()
    told = [record.getMessage() for record in caplog.records if "no device" in record.getMessage()]
    assert told == [f"51 lines dropped: from no device's address, such as {network}.9.3"]


def test_devices_that_share_an_address_or_hang_in_another_rack_are_not_heard(network: str) -> None:
    ours, other = make_rack("p1"), make_rack("p2")
    twins = [make_device(address=f"{network}.9.5", rack=ours) for _ in range(2)]
    foreign = make_device(address=f"{network}.9.6", rack=other)
    ours_too = make_device(address=f"{network}.9.7", rack=ours)
    with receiving(racks=[ours.pk]) as port:
        for device in (*twins, foreign, ours_too):
            Board(device, port).says(b"<13>hello")
        Board(ours_too, port).heard(1)
    assert set(Journal.objects.values_list("device_id", flat=True)) == {ours_too.pk}


def test_a_device_without_an_address_is_found_by_its_name_when_asked_to(network: str) -> None:
    device = make_device(address=None, fqdn="localhost")
    device.address = "127.0.0.1"
    make_device(address=f"{network}.9.1")
    with receiving(look_up=True) as port:
        board = Board(device, port)

        def heard() -> bool:
            board.says(b"<13>hello")
            return bool(board.journal())

        wait_for(heard)


def test_what_is_over_the_cap_is_dropped_and_told_in_one_line(network: str) -> None:
    board_of = make_device(address=f"{network}.9.1")
    with receiving(rate=1.0, burst=20) as port:
        board = Board(board_of, port)
        board.says(
            *[b"<13>line %d" % number for number in range(300)], b"<13>Kernel panic - not syncing: end"
        )
        wait_for(lambda: Journal.objects.filter(event="kernel_panic").exists())
    lines = [message for event, message in board.journal() if not event]
    told = [message for message in lines if "dropped" in message]
    stored = len(lines) - len(told)
    assert 20 <= stored <= 25
    assert sum(int(message.split()[0]) for message in told) == 300 - stored
    assert all(message.endswith("dropped: more than 1 a second") for message in told)
    assert len(told) <= 2


def test_an_installations_own_patterns_are_taken_up_and_replace_those_built_in(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "_RELOAD_SECONDS", 0.1)
    device = make_device(address=f"{network}.9.1")
    with receiving() as port:
        LogPattern.objects.create(name="fan_failed", regex="(?i)fan FAILED")
        LogPattern.objects.create(name="kernel_oops", regex="x", enabled=False)
        time.sleep(1)
        board = Board(device, port)
        board.says(
            b"<13>a: fan failed", b"<13>a: fan failed", b"<13>a: kernel BUG at x", b"<13>\xf0\x9f\x94\xa5"
        )
        assert sorted(board.heard(4)) == [
            ("", "a: fan failed"), ("", "a: kernel BUG at x"), ("", "\U0001f525"), ("fan_failed", "a: fan failed"),
        ]  # fmt: skip


def test_more_connections_than_a_board_needs_end_the_oldest(network: str) -> None:
    device = make_device(address=f"{network}.9.1")
    with receiving() as port:
        board = Board(device, port)
        streams = [board.stream() for _ in range(5)]
        assert streams[0].recv(1) == b""
        for number, tcp in enumerate(streams[1:]):
            tcp.sendall(b"<13>from %d\n" % number)
        assert sorted(board.heard(4)) == [("", f"from {number}") for number in range(4)]
        for tcp in streams:
            tcp.close()
