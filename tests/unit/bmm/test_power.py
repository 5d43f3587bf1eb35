"""The power drivers against a real relay board on a socket: one connection, everything read back, nothing left off."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmm.deadline import Deadline
from bmm.drivers.power import driver_class, driver_names, make_driver, proxr
from bmm.drivers.power.base import PowerDriver
from bmm.drivers.power.proxr import ProXRDriver
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, HardwareError, Misconfigured, OutOfTime, Refused, Unreachable
from tests.unit.bmm.tcp_server import Hangup, RelayBoard, Talker

ALL = [f"bank{bank}:relay{relay}" for bank in range(1, 5) for relay in range(1, 9)]
SOME = ALL[:4]


@pytest.fixture
def board() -> Iterator[RelayBoard]:
    with RelayBoard() as running:
        yield running


def quick(
    address: str,
    sleep: Callable[[float], None] = time.sleep,
    *,
    by_banks: bool = False,
    patience: float = 20.0,
) -> ProXRDriver:
    """A driver whose rests are short, so that the stories are too; it switches one by one."""
    driver = ProXRDriver(address, {"by_banks": by_banks}, sleep=sleep)
    driver.rest_seconds, driver.off_seconds = 0.02, 0.05
    driver.answer_seconds = driver.connect_seconds = patience
    return driver


@pytest.fixture(autouse=True)
def first_tries_are_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody is silent, a busy machine is waited for."""
    for name in ("_FIRST_CONNECT_SECONDS", "_FIRST_ANSWER_SECONDS", "_BANK_SECONDS"):
        monkeypatch.setattr(proxr, name, 20.0)


@pytest.fixture
def first_tries_are_short(first_tries_are_patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where silence is the story, as it is outside."""
    for name in ("_FIRST_ANSWER_SECONDS", "_BANK_SECONDS"):
        monkeypatch.setattr(proxr, name, 0.5)


def kinds(results: dict[str, HardwareError | None]) -> list[type[HardwareError] | None]:
    return [None if error is None else type(error) for error in results.values()]


def test_switching_off_and_on_sends_the_bytes_of_the_protocol_and_reads_them_back(board: RelayBoard) -> None:
    driver = quick(board.address)
    assert driver.power_off(["bank2:relay3"], Deadline.after(60)) == {"bank2:relay3": None}
    assert board.off == {"bank2:relay3"}
    assert driver.power_on(["bank2:relay3"], Deadline.after(60)) == {"bank2:relay3": None}
    assert board.off == set()
    off, on = ((254, 33), (254, 110, 2), (254, 118, 2)), ((254, 33), (254, 102, 2), (254, 118, 2))
    assert board.commands == [bytes(command) for command in off + on]


def test_one_switch_call_brings_each_outlet_to_its_own_state(board: RelayBoard) -> None:
    wanted = {"bank1:relay1": False, "bank4:relay8": True, "bank1:relay8": False}
    assert quick(board.address).switch(wanted, Deadline.after(60)) == dict.fromkeys(wanted)
    assert board.off == {"bank1:relay1", "bank1:relay8"}
    assert board.connections == 1


def test_a_full_board_is_cycled_in_one_connection_and_one_rest(board: RelayBoard) -> None:
    started = time.monotonic()
    assert ProXRDriver(board.address).cycle(ALL, Deadline.after(60)) == dict.fromkeys(ALL)
    assert 1.0 <= time.monotonic() - started < 8
    assert board.connections == 1
    assert board.off == set()
    for bank, relay in {which for _, which, _ in board.switched}:
        off, on = (moment for moment, which, _ in board.switched if which == (bank, relay))
        assert on - off >= 1.0
    assert len(board.switched) == 64


def test_an_outlet_that_cannot_exist_is_named_and_the_others_are_cycled(board: RelayBoard) -> None:
    results = quick(board.address).cycle(["bank9:relay1", "bank1:relay1"], Deadline.after(60))
    assert kinds(results) == [Misconfigured, None]
    assert str(results["bank9:relay1"]) == (
        "there is no outlet 'bank9:relay1': bank1:relay1 to bank4:relay8 expected"
    )


def test_an_outlet_named_twice_is_cycled_once(board: RelayBoard) -> None:
    assert quick(board.address).cycle(["bank1:relay1", "bank1:relay1"], Deadline.after(60)) == {
        "bank1:relay1": None
    }
    assert len(board.switched) == 2


def test_a_relay_that_does_not_move_is_refused_after_a_second_try_and_spoils_no_other(
    board: RelayBoard,
) -> None:
    board.stuck = {(1, 2)}
    results = quick(board.address).cycle(SOME, Deadline.after(60))
    assert kinds(results) == [None, Refused, None, None]
    assert (
        str(results["bank1:relay2"])
        == f"bank1:relay2 of {board.address} was switched off twice and still reads on"
    )
    assert board.commands.count(bytes((254, 109, 1))) == 2
    assert board.connections == 1


def test_a_relay_that_sticks_off_is_said_to_be_left_off(board: RelayBoard) -> None:
    def stick(command: bytes) -> None:
        if command == bytes((254, 117, 1)):
            board.stuck = {(1, 2)}

    board.script = stick
    results = quick(board.address).cycle(SOME, Deadline.after(60))
    assert kinds(results) == [None, Refused, None, None]
    assert str(results["bank1:relay2"]).startswith("bank1:relay2 may have been left off: ")


def test_garbage_once_costs_a_new_connection_and_nothing_else(board: RelayBoard) -> None:
    garbage = [b"\x07"]
    board.script = lambda command: garbage.pop() if command[1] == 109 and garbage else None
    assert quick(board.address).cycle(SOME, Deadline.after(60)) == dict.fromkeys(SOME)
    assert board.connections == 2


def test_garbage_for_one_outlet_spoils_no_other_and_leaves_it_with_power(board: RelayBoard) -> None:
    board.script = lambda command: b"\x07" if command == bytes((254, 109, 1)) else None
    results = quick(board.address).cycle(SOME, Deadline.after(60))
    assert kinds(results) == [None, Garbled, None, None]
    assert (
        str(results["bank1:relay2"]) == f"{board.address} answered 7 instead of 85 to switching bank1:relay2"
    )
    assert board.off == set()


def test_a_board_that_answers_nothing_but_garbage_is_given_up_soon(board: RelayBoard) -> None:
    board.script = lambda _: b"\xfe\xfe"
    results = quick(board.address).power_off(ALL, Deadline.after(60))
    assert kinds(results) == [Unreachable] * 32
    assert str(results["bank4:relay8"]) == (
        f"bank4:relay8 of {board.address} was not reached: "
        f"{board.address} answered 254 instead of 85 to the two-way test"
    )
    # Nothing was switched where nobody knows who it is.
    assert board.commands == [bytes((254, 33))] * 2


@pytest.mark.usefixtures("first_tries_are_short")
def test_a_silent_board_is_given_up_after_two_answers_that_never_came(board: RelayBoard) -> None:
    board.script = lambda _: b""
    started = time.monotonic()
    results = quick(board.address, patience=0.2).power_off(ALL, Deadline.after(60))
    assert kinds(results) == [Unreachable] * 32
    assert str(results["bank1:relay1"]).endswith(f"was not reached: {board.address} did not answer in time")
    assert 0.4 <= time.monotonic() - started < 30
    assert board.connections == 2


@pytest.mark.usefixtures("first_tries_are_short")
def test_a_board_that_is_slow_once_is_given_the_time_for_it_by_the_second_try(board: RelayBoard) -> None:
    def slow(_: bytes) -> None:
        time.sleep(0.7)

    board.script = slow
    driver = quick(board.address)
    assert driver.power_off(["bank1:relay1"], Deadline.after(60)) == {"bank1:relay1": None}
    assert board.connections == 2


@pytest.mark.parametrize("mode", [85, 86, 87])
def test_a_board_that_is_being_configured_or_locked_is_there_all_the_same(
    board: RelayBoard, mode: int
) -> None:
    board.script = lambda command: bytes((mode,)) if command[1] == 33 else None
    assert quick(board.address).power_on(["bank1:relay1"], Deadline.after(60)) == {"bank1:relay1": None}


def test_a_refused_connection_makes_every_outlet_unreachable(board: RelayBoard) -> None:
    board.stop()
    results = quick(board.address).cycle(SOME, Deadline.after(60))
    assert kinds(results) == [Unreachable] * 4
    assert str(results["bank1:relay1"]) == (
        f"bank1:relay1 of {board.address} was not reached: {board.address}: Connection refused"
    )


def test_a_connection_that_dies_with_outlets_off_is_made_again_and_they_are_switched_on(
    board: RelayBoard,
) -> None:
    def die_once(command: bytes) -> None:
        if command[1] == 110 and board.connections == 1:
            raise Hangup

    board.script = die_once
    assert quick(board.address).cycle(SOME, Deadline.after(60)) == dict.fromkeys(SOME)
    assert board.connections == 2
    assert board.off == set()


def test_a_board_that_dies_in_the_rest_and_comes_back_late_gets_its_devices_on_again(
    board: RelayBoard,
) -> None:
    comeback = threading.Timer(0.7, board.start)

    def die(seconds: float) -> None:
        if 0.04 < seconds <= 0.05:
            board.stop()
            board.hang_up()
            comeback.start()
        else:
            time.sleep(seconds)

    assert quick(board.address, sleep=die).cycle(SOME, Deadline.after(60)) == dict.fromkeys(SOME)
    comeback.join()
    assert board.off == set()


def test_a_board_that_dies_in_the_rest_for_good_says_what_may_be_off_and_keeps_to_the_deadline(
    board: RelayBoard,
) -> None:
    def die(seconds: float) -> None:
        if 0.04 < seconds <= 0.05:
            board.stop()
            board.hang_up()
        else:
            time.sleep(seconds)

    started = time.monotonic()
    results = quick(board.address, sleep=die).cycle(SOME, Deadline.after(1))
    assert 0.9 <= time.monotonic() - started < 10
    assert kinds(results) == [Unreachable, Unreachable, Unreachable, Unreachable]
    assert all(
        str(error).startswith(f"{outlet} may have been left off: ") for outlet, error in results.items()
    )
    assert board.off == set(SOME)


def test_outlets_that_were_never_reached_are_not_touched(board: RelayBoard) -> None:
    def die_from_the_third_on(command: bytes) -> None:
        if command[1] in (110, 111):
            raise Hangup

    board.script = die_from_the_third_on
    results = quick(board.address).cycle(ALL[:6], Deadline.after(60))
    assert kinds(results) == [None, None, Unreachable, Unreachable, Unreachable, Unreachable]
    assert {relay for _, relay, _ in board.switched} == {(1, 1), (1, 2), (1, 3), (1, 4)}
    assert board.off == set()


def test_a_full_board_takes_two_commands_for_each_bank_off_and_on(board: RelayBoard) -> None:
    assert quick(board.address, by_banks=True).cycle(ALL, Deadline.after(60)) == dict.fromkeys(ALL)
    off = [(code, *coils, bank) for bank in range(1, 5) for code, *coils in ((140, 255), (124,))]
    on = [(code, *coils, bank) for bank in range(1, 5) for code, *coils in ((140, 0), (124,))]
    assert board.commands == [bytes((254, *command)) for command in [(33,), *off, *on]]
    assert board.off == set()


def test_most_of_a_bank_is_switched_at_once_and_the_others_are_read_and_left_as_they_are(
    board: RelayBoard,
) -> None:
    board.coils = {(2, 7)}
    outlets = [f"bank2:relay{relay}" for relay in (1, 3, 4, 5)]
    assert quick(board.address, by_banks=True).power_off(outlets, Deadline.after(60)) == dict.fromkeys(
        outlets
    )
    reading = [(254, 115 + relay, 2) for relay in (2, 6, 7, 8)]
    setting = [(254, 140, 0b1011101, 2), (254, 124, 2)]
    assert board.commands == [bytes(command) for command in ((254, 33), *reading, *setting)]
    assert board.off == {*outlets, "bank2:relay7"}


def test_a_few_of_a_bank_are_switched_one_by_one(board: RelayBoard) -> None:
    assert quick(board.address, by_banks=True).power_off(ALL[:3], Deadline.after(60)) == dict.fromkeys(
        ALL[:3]
    )
    assert {command[1] for command in board.commands} == {33, 108, 109, 110, 116, 117, 118}


def test_devices_that_are_to_go_on_one_after_the_other_are_never_switched_at_once(board: RelayBoard) -> None:
    driver = quick(board.address, by_banks=True)
    driver.stagger_seconds = 0.01
    assert driver.cycle(ALL[:8], Deadline.after(60)) == dict.fromkeys(ALL[:8])
    assert not {124, 140} & {command[1] for command in board.commands}


def test_a_relay_that_sticks_in_a_bank_is_found_one_by_one(board: RelayBoard) -> None:
    board.stuck = {(1, 2)}
    results = quick(board.address, by_banks=True).cycle(ALL[:16], Deadline.after(60))
    assert [outlet for outlet, error in results.items() if error] == ["bank1:relay2"]
    assert isinstance(results["bank1:relay2"], Refused)
    # The first bank shows that something is wrong: no other is switched at once after it.
    assert [command[1] for command in board.commands].count(140) == 1
    assert board.off == set()
    assert board.connections == 1


@pytest.mark.usefixtures("first_tries_are_short")
@pytest.mark.parametrize("said", [b"", b"\x55", b"\x07"], ids=["nothing", "85", "garbage"])
def test_an_old_board_that_does_not_know_the_commands_for_banks_is_switched_one_by_one(
    board: RelayBoard, said: bytes
) -> None:
    board.script = lambda command: said if command[1] in (124, 140) else None
    results = quick(board.address, by_banks=True).cycle(ALL[:16], Deadline.after(60))
    assert results == dict.fromkeys(ALL[:16])
    assert [command[1] for command in board.commands].count(140) == 1
    assert board.off == set()


def test_a_device_of_somebody_else_that_cannot_be_read_is_not_risked(board: RelayBoard) -> None:
    board.script = lambda command: b"\x07" if command == bytes((254, 123, 1)) else None
    assert quick(board.address, by_banks=True).cycle(ALL[:7], Deadline.after(60)) == dict.fromkeys(ALL[:7])
    assert 140 not in {command[1] for command in board.commands}


def test_a_byte_that_an_old_board_would_take_for_the_beginning_of_a_command_is_never_sent(
    board: RelayBoard,
) -> None:
    outlets = ALL[1:8]
    assert quick(board.address, by_banks=True).power_off(outlets, Deadline.after(60)) == dict.fromkeys(
        outlets
    )
    assert board.off == set(outlets)
    assert 140 not in {command[1] for command in board.commands}


def test_a_person_who_switches_another_relay_at_the_board_meanwhile_wins(board: RelayBoard) -> None:
    def press(command: bytes) -> None:
        if command[1] == 124 and board.commands.count(command) == 1:
            board.coils.add((1, 8))

    board.script = press
    assert quick(board.address, by_banks=True).power_off(ALL[:7], Deadline.after(60)) == dict.fromkeys(
        ALL[:7]
    )
    assert board.off == set(ALL[:8])


def test_outlets_that_come_during_the_rest_join_and_each_has_a_whole_rest_of_its_own(
    board: RelayBoard,
) -> None:
    driver = quick(board.address)
    driver.off_seconds = 0.4
    coming = iter([[], ["bank1:relay2", "bank9:relay1"], ["bank2:relay1"]])
    results = driver.cycle(["bank1:relay1"], Deadline.after(60), late=lambda: next(coming, []))
    assert isinstance(results.pop("bank9:relay1"), Misconfigured)
    assert results == dict.fromkeys(["bank1:relay1", "bank1:relay2", "bank2:relay1"])
    times = {(relay, on): at for at, relay, on in board.switched}
    assert len(board.switched) == 6
    for relay in ((1, 1), (1, 2), (2, 1)):
        assert times[relay, True] - times[relay, False] >= 0.4
    # Nobody waits for those who came later.
    assert times[(1, 1), True] < times[(1, 2), True] < times[(2, 1), True]
    assert board.connections == 1


def test_what_joined_goes_on_again_when_the_rest_is_interrupted(board: RelayBoard) -> None:
    coming = iter([["bank1:relay2"]])

    def late() -> list[str]:
        try:
            return next(coming)
        except StopIteration:
            raise KeyboardInterrupt from None

    driver = quick(board.address)
    driver.off_seconds = 0.5
    with pytest.raises(KeyboardInterrupt):
        driver.cycle(["bank1:relay1"], Deadline.after(60), late=late)
    assert board.off == set()
    assert len(board.switched) == 4


def test_what_is_off_goes_on_again_even_where_asking_for_more_took_all_the_time(board: RelayBoard) -> None:
    def hangs() -> list[str]:
        time.sleep(1.1)  # as a database does that is restarted meanwhile
        return ["bank1:relay3"]

    driver = quick(board.address)
    driver.off_seconds = 0.2
    results = driver.cycle(["bank1:relay1", "bank1:relay2"], Deadline.after(1), late=hangs)
    assert board.off == set()
    assert kinds(results) == [None, None, Unreachable]


def test_where_devices_go_on_one_after_the_other_nobody_joins(board: RelayBoard) -> None:
    driver = quick(board.address)
    driver.stagger_seconds = 0.01
    assert driver.cycle(["bank1:relay1"], Deadline.after(60), late=lambda: ["bank1:relay2"]) == {
        "bank1:relay1": None
    }


def test_an_interrupt_in_the_rest_still_gives_the_power_back(board: RelayBoard) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(board.address, sleep=interrupt).cycle(SOME, Deadline.after(60))
    assert board.off == set()
    assert len(board.switched) == 8


def test_a_deadline_too_short_for_a_cycle_touches_nothing(board: RelayBoard) -> None:
    results = ProXRDriver(board.address).cycle(SOME, Deadline.after(1.5))
    assert kinds(results) == [OutOfTime] * 4
    assert str(results["bank1:relay1"]) == (
        f"bank1:relay1 of {board.address} was not touched: less than 2.1 s are left, too little for a power cycle"
    )
    assert board.connections == 0


def test_a_silent_board_does_not_outlast_a_short_deadline(board: RelayBoard) -> None:
    board.script = lambda _: b""
    driver = ProXRDriver(board.address)
    started = time.monotonic()
    assert kinds(driver.power_on(SOME, Deadline.after(0.3))) == [Unreachable] * 4
    assert time.monotonic() - started < 10


def test_a_slow_board_stops_switching_off_while_there_is_time_to_switch_on(board: RelayBoard) -> None:
    def slowly(_: bytes) -> None:
        time.sleep(0.03)

    board.script = slowly
    results = quick(board.address).cycle(ALL, Deadline.after(1.3))
    assert board.off == set()
    done = [outlet for outlet, error in results.items() if error is None]
    assert 2 <= len(done) < 10
    assert all(isinstance(error, Unreachable) for outlet, error in results.items() if outlet not in done)


def test_the_board_gets_its_rest_between_two_connections(board: RelayBoard) -> None:
    driver = quick(board.address)
    driver.rest_seconds = 0.3
    driver.power_off(["bank1:relay1"], Deadline.after(60))
    driver.power_on(["bank1:relay1"], Deadline.after(60))
    assert board.connections == 2
    assert board.opened_at[1] - board.closed_at[0] >= 0.29


def test_calls_within_connected_share_one_connection(board: RelayBoard) -> None:
    driver = quick(board.address)
    with driver.connected():
        assert driver.test(Deadline.after(60)) is True
        assert driver.power_off(SOME, Deadline.after(60)) == dict.fromkeys(SOME)
        assert driver.get("bank1:relay1", Deadline.after(60)) is False
        assert driver.get("bank1:relay5", Deadline.after(60)) is True
    assert board.connections == 1


def test_reading_gives_each_outlets_state_or_its_error(board: RelayBoard) -> None:
    board.coils = {(1, 2)}
    board.script = lambda command: b"\x09" if command == bytes((254, 118, 1)) else None
    states = quick(board.address).read([*SOME, "relay1"], Deadline.after(60))
    assert states["bank1:relay1"] is True
    assert states["bank1:relay2"] is False
    assert (
        str(states["bank1:relay3"]) == f"{board.address} answered 9 instead of 0 or 1 to reading bank1:relay3"
    )
    assert states["bank1:relay4"] is True
    assert isinstance(states["relay1"], Misconfigured)


def test_the_two_way_test_is_true_for_85_false_for_anything_else_and_raises_for_silence(
    board: RelayBoard,
) -> None:
    assert quick(board.address).test(Deadline.after(60)) is True
    assert board.commands == [bytes((254, 33))] * 2
    board.script = lambda _: b"\x56"
    assert quick(board.address).test(Deadline.after(60)) is False
    board.script = lambda _: b""
    with pytest.raises(OutOfTime, match="did not answer in time"):
        quick(board.address, patience=0.2).test(Deadline.after(60))


def test_a_second_connection_is_tried_when_the_board_still_rests_from_somebody_elses(
    board: RelayBoard,
) -> None:
    def resting(_: bytes) -> None:
        if board.connections == 1:
            raise Hangup

    board.script = resting
    assert quick(board.address).test(Deadline.after(60)) is True
    assert board.connections == 2


def test_an_address_that_cannot_be_is_misconfigured_and_not_retried() -> None:
    for address in ("relay board", "relay-1:", "relay-1:70000", "256.1.1.1", "-x", ""):
        assert kinds(quick(address).power_on(["bank1:relay1"], Deadline.after(60))) == [Misconfigured]


def test_set_and_get_without_a_connection_say_so(board: RelayBoard) -> None:
    with pytest.raises(Unreachable, match="not connected"):
        quick(board.address).get("bank1:relay1", Deadline.after(60))


@given(st.integers(-3, 40), st.integers(-3, 40))
def test_exactly_32_outlets_exist(bank: int, relay: int) -> None:
    outlet = f"bank{bank}:relay{relay}"
    if 1 <= bank <= 4 and 1 <= relay <= 8:
        assert ProXRDriver.check_outlet(outlet) == outlet
    else:
        with pytest.raises(Misconfigured, match=re.escape(repr(outlet))):
            ProXRDriver.check_outlet(outlet)


@given(st.text("bank:relay123489 \n\u0663", max_size=14).filter(lambda text: text not in ALL))
def test_no_other_text_is_an_outlet(text: str) -> None:
    with pytest.raises(Misconfigured):
        ProXRDriver.check_outlet(text)


@pytest.mark.parametrize("text", ["bank1:relay1\n", " bank1:relay1", "bank\u0661:relay1", "BANK1:RELAY1"])
def test_what_only_looks_like_an_outlet_is_none(text: str) -> None:
    with pytest.raises(Misconfigured):
        ProXRDriver.check_outlet(text)


def test_a_driver_is_found_by_its_name_and_built_without_touching_the_board() -> None:
    driver = make_driver("proxr", "relay-1.example.org", {})
    assert isinstance(driver, ProXRDriver)
    assert driver.address == "relay-1.example.org"


def test_an_unknown_driver_is_misconfigured_and_the_known_ones_are_listed() -> None:
    with pytest.raises(Misconfigured, match=r"^unknown power driver 'proxy'; known are: (.+, )?proxr"):
        driver_class("proxy")


PLUGIN = """
from bmm.drivers.power.proxr import ProXRDriver
class Switch(ProXRDriver):
    pass
not_a_class = 5
"""


def test_an_installed_package_adds_its_driver_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rack_switch_plugin.py").write_text(PLUGIN)
    info = tmp_path / "rack_switch-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rack-switch\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mozpool.power_drivers]\n"
        "rack-switch = rack_switch_plugin:Switch\n"
        "number = rack_switch_plugin:not_a_class\n"
        "gone = rack_switch_plugin:Gone\n"
        "proxr = rack_switch_plugin:Switch\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert driver_class("rack-switch").__name__ == "Switch"
    assert driver_class("proxr") is ProXRDriver
    assert {"gone", "number", "proxr", "rack-switch"} <= set(driver_names())
    with pytest.raises(
        Misconfigured, match="'number': rack_switch_plugin:not_a_class is no PowerDriver class"
    ):
        driver_class("number")
    with pytest.raises(Misconfigured, match="'gone': rack_switch_plugin:Gone cannot be loaded"):
        driver_class("gone")
    sys.modules.pop("rack_switch_plugin")


class WithSettings(ProXRDriver):
    settings = (
        SettingSpec("password", str, secret=True, help="as set on the board's own page"),
        SettingSpec("delay", float, 0.5),
        SettingSpec("blink", bool, default=False),
    )


def test_settings_are_read_with_their_defaults() -> None:
    driver: PowerDriver = WithSettings("relay-1", {"password": "s3cret", "delay": 2})
    assert driver.values == {"password": "s3cret", "delay": 2.0, "blink": False}


@pytest.mark.parametrize(
    ("given_settings", "complaint"),
    [
        ({}, "setting password is missing: as set on the board's own page"),
        ({"password": 12345}, "setting password: a str expected, got a int"),
        ({"password": "x", "delay": True}, "setting delay: a float expected, got a bool"),
        ({"password": "x", "colour": 1}, "unknown setting colour; this driver knows: password, delay, blink"),
    ],
)
def test_wrong_settings_are_named_and_never_shown(given_settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(Misconfigured, match=f"^{re.escape(complaint)}$"):
        WithSettings("relay-1", given_settings)


def test_every_error_has_its_own_code_and_only_the_unreachable_ones_are_worth_a_retry() -> None:
    classes = (Unreachable, OutOfTime, Garbled, Refused, Misconfigured)
    assert [kind.code for kind in classes] == [
        "unreachable",
        "out_of_time",
        "garbled",
        "refused",
        "misconfigured",
    ]
    assert [kind.retry for kind in classes] == [True, True, True, False, False]
    assert len({kind.advice for kind in classes}) == 5


def test_something_that_accepts_and_says_nothing_is_no_relay_board() -> None:
    with Talker() as talker:
        results = quick(talker.address, patience=0.2).power_on(["bank1:relay1"], Deadline.after(60))
        assert kinds(results) == [Unreachable]
