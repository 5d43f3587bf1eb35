"""A simulated relay board, spoken to over its real socket."""

import time

import pytest

from simlab.fields import ConfigError
from simlab.relay_board import Command, take_command
from tests.unit.simlab.lab import Description, Lab, running, wait_until

OK, READS_ON, READS_OFF = b"\x55", b"\x01", b"\x00"


def test_the_two_way_test_is_answered(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        assert relay.ask(254, 33) == OK


@pytest.mark.parametrize(("bank", "relay_number"), [(1, 1), (4, 8), (2, 5)])
def test_a_relay_is_switched_and_read_back(described: Description, bank: int, relay_number: int) -> None:
    with running(described) as lab, lab.relay() as relay:
        assert relay.ask(254, 115 + relay_number, bank) == READS_OFF
        assert relay.ask(254, 107 + relay_number, bank) == OK
        assert relay.ask(254, 115 + relay_number, bank) == READS_ON
        assert lab.ask("relay_board", name="relay-1")["off"] == [f"bank{bank}:relay{relay_number}"]
        assert relay.ask(254, 99 + relay_number, bank) == OK
        assert relay.ask(254, 115 + relay_number, bank) == READS_OFF


def test_commands_may_come_in_pieces_and_in_bunches(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        relay.socket.sendall(b"\xfe")
        assert relay.hears_nothing(0.02)
        relay.socket.settimeout(3)
        relay.socket.sendall(bytes([108, 1, 254, 116, 1, 254, 33]))
        answers = b""
        while len(answers) < 3:
            answers += relay.socket.recv(64)
        assert answers == OK + READS_ON + OK


def test_bytes_that_begin_no_command_are_skipped() -> None:
    buffer = bytearray(b"GET / HTTP\r\n" + bytes([254, 33, 7, 254, 108, 2, 254]))
    assert take_command(buffer) == Command(33)
    assert take_command(buffer) == Command(108, 2)
    assert take_command(buffer) is None
    assert buffer == b"\xfe"


@pytest.mark.parametrize(
    "command", [(254, 108, 0), (254, 108, 5), (254, 99, 1), (254, 124, 5), (254, 140, 255, 5)]
)
def test_a_bank_or_code_that_does_not_exist_is_not_answered(
    described: Description, command: tuple[int, ...]
) -> None:
    with running(described) as lab, lab.relay() as relay:
        relay.socket.sendall(bytes(command))
        assert relay.hears_nothing()
        assert lab.ask("relay_board", name="relay-1")["off"] == []


def test_a_bank_is_set_and_read_as_one_byte_whose_lowest_bit_is_the_first_relay(
    described: Description,
) -> None:
    with running(described) as lab, lab.relay() as relay:
        assert relay.ask(254, 140, 0b10000011, 2) == OK
        off = ["bank2:relay1", "bank2:relay2", "bank2:relay8"]
        assert lab.ask("relay_board", name="relay-1")["off"] == off
        assert relay.ask(254, 124, 2) == bytes([0b10000011])
        assert relay.ask(254, 124, 1) == READS_OFF
        assert relay.ask(254, 117, 2) == READS_ON
        assert relay.ask(254, 140, 0, 2) == OK
        assert lab.ask("relay_board", name="relay-1")["off"] == []


def test_bank_0_is_every_bank(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        assert relay.ask(254, 140, 1, 0) == OK
        relay.socket.sendall(bytes([254, 124, 0]))
        reading = b""
        while len(reading) < 32:
            reading += relay.socket.recv(64)
        assert reading == bytes([1] * 4 + [0] * 28)
        assert lab.ask("relay_board", name="relay-1")["off"] == [f"bank{bank}:relay1" for bank in range(1, 5)]


def test_an_old_board_says_nothing_to_a_command_for_a_bank_and_knows_the_others(
    described: Description,
) -> None:
    with running(described) as lab, lab.relay() as relay:
        lab.ask("fault", name="relay-1", fault="no_banks")
        relay.socket.sendall(bytes([254, 140, 255, 1]))
        assert relay.hears_nothing()
        relay.socket.settimeout(3)
        assert relay.ask(254, 33) == OK
        assert lab.ask("relay_board", name="relay-1")["off"] == []


def test_a_second_connection_waits_until_the_first_has_closed(described: Description) -> None:
    with running(described) as lab:
        first = lab.relay()
        assert first.ask(254, 33) == OK
        with lab.relay() as second:
            second.socket.sendall(bytes([254, 33]))
            assert second.hears_nothing()
            first.socket.close()
            second.socket.settimeout(3)
            assert second.socket.recv(64) == OK
        counters = lab.ask("relay_board", name="relay-1")["counters"]
        assert counters == {"connections": 2, "waited": 1, "refused": 0, "commands": 2, "switches": 0}


def test_what_a_waiting_client_sent_before_it_gave_up_does_not_count(described: Description) -> None:
    with running(described) as lab:
        first = lab.relay()
        assert first.ask(254, 33) == OK
        with lab.relay() as second:
            second.socket.sendall(bytes([254, 108, 1]))
            assert second.hears_nothing(0.02)
        first.socket.close()
        time.sleep(0.08)
        with lab.relay() as third:
            assert third.ask(254, 116, 1) == READS_OFF
        assert lab.ask("relay_board", name="relay-1")["counters"]["connections"] == 2


def test_a_connection_during_the_rest_is_reset_and_one_after_it_is_served(described: Description) -> None:
    described["relay_boards"][0]["rest"] = 0.3
    with running(described) as lab:
        with lab.relay() as first:
            assert first.ask(254, 33) == OK
        time.sleep(0.05)
        # The reset may come as early as in the connecting itself.
        with pytest.raises(ConnectionResetError), lab.relay() as early:
            early.socket.recv(64)
        time.sleep(0.35)
        with lab.relay() as late:
            assert late.ask(254, 33) == OK
        counters = lab.ask("relay_board", name="relay-1")["counters"]
        assert (counters["connections"], counters["refused"]) == (2, 1)


def test_each_command_takes_the_boards_latency(described: Description) -> None:
    described["relay_boards"][0]["latency"] = 0.05
    with running(described) as lab, lab.relay() as relay:
        started = time.monotonic()
        assert relay.ask(254, 33) == OK
        assert time.monotonic() - started >= 0.05


def fault(lab: Lab, name: str, **limit: float) -> None:
    lab.ask("fault", name="relay-1", fault=name, **limit)


def test_silence_reads_does_nothing_and_ends_after_its_count(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        fault(lab, "silence", count=1)
        relay.socket.sendall(bytes([254, 108, 1]))
        assert relay.hears_nothing()
        relay.socket.settimeout(3)
        assert relay.ask(254, 116, 1) == READS_OFF


def test_a_lost_answer_has_moved_the_relay(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        fault(lab, "lost_answer", count=1)
        relay.socket.sendall(bytes([254, 108, 1]))
        assert relay.hears_nothing()
        relay.socket.settimeout(3)
        assert relay.ask(254, 116, 1) == READS_ON


def test_garbage_is_never_an_answer_with_a_meaning(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        fault(lab, "garbage")
        for _ in range(20):
            assert set(relay.ask(254, 116, 1)).isdisjoint({0, 1, 85})


def test_a_wrong_status_acknowledges_and_moves_nothing(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        fault(lab, "wrong_status")
        assert relay.ask(254, 108, 1) == OK
        assert relay.ask(254, 116, 1) == READS_OFF
        assert lab.story() == ["image_up"]


def test_a_wrong_reading_shows_the_opposite(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        fault(lab, "wrong_reading")
        assert relay.ask(254, 116, 1) == READS_ON
        lab.ask("heal", name="relay-1")
        assert relay.ask(254, 116, 1) == READS_OFF


def test_refused_closes_the_listener_for_its_time(described: Description) -> None:
    with running(described) as lab:
        fault(lab, "refused", seconds=0.2)
        with pytest.raises(ConnectionRefusedError):
            lab.relay()
        wait_until(lambda: lab.ask("relay_board", name="relay-1")["fault"] is None, lambda: "still refused")
        with lab.relay() as relay:
            assert relay.ask(254, 33) == OK


def test_refused_takes_no_count(described: Description) -> None:
    with (
        running(described) as lab,
        pytest.raises(ConfigError, match=r"^count: `refused` closes the listener"),
    ):
        fault(lab, "refused", count=3)


def test_switching_twice_counts_as_one_switch(described: Description) -> None:
    with running(described) as lab, lab.relay() as relay:
        relay.ask(254, 108, 1)
        relay.ask(254, 108, 1)
        assert lab.ask("relay_board", name="relay-1")["counters"]["switches"] == 1
        lab.ask("reset_counters")
        assert set(lab.ask("relay_board", name="relay-1")["counters"].values()) == {0}
