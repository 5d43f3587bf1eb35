"""An operator talks to a relay board itself: by its name, by its address, with or without rows for it."""

from datetime import timedelta

import pytest

from devices.models import Device, Journal, PowerController
from mozpool_site import clock
from tests.factories import make_controller
from tests.integration.commands.conftest import Pool
from tests.unit.bmm.power.twins import Twin

BOARD = "relay-1-2"


@pytest.fixture
def address(pool: Pool) -> str:
    """Give the address of the second board, which has two devices."""
    return PowerController.objects.get(name=BOARD).address


def test_status_shows_every_relay_with_its_device(pool: Pool) -> None:
    ran = pool.run("relay", "status", BOARD, "--json")
    assert (ran.status, ran.err, len(ran.json)) == (0, "", 32)
    assert ran.json[0] == {"outlet": "bank1:relay1", "device": "panda-0033", "power": True, "error": None}
    assert ran.json[31]["device"] is None


def test_off_on_and_cycle_switch_one_relay_and_are_journalled(pool: Pool) -> None:
    control = pool.lab.control
    off = pool.run("relay", "off", BOARD, "1", "2")
    assert (off.status, off.err) == (0, "")
    assert off.out.splitlines()[-2].split() == ["bank1:relay2", "panda-0034", "off"]
    assert control.relay_board(BOARD).off == ("bank1:relay2",)
    assert pool.run("relay", "on", BOARD, "bank1:relay2").status == 0
    assert control.relay_board(BOARD).off == ()
    cycles = pool.cycles(34)
    assert pool.run("relay", "cycle", BOARD, "bank1:relay2").status == 0
    assert pool.cycles(34) == cycles + 1
    lines = (
        Journal.objects.filter(device_id=pool.device(34).pk).order_by("pk").values_list("message", flat=True)
    )
    assert [line.split(" at ")[0] for line in lines] == ["power off", "power on", "power cycle"]


def test_a_board_without_a_row_is_reached_by_its_address(pool: Pool, address: str) -> None:
    Device.objects.update(power_controller=None)
    PowerController.objects.all().delete()
    ran = pool.run("relay", "test", address)
    assert (ran.status, ran.out) == (0, f"{address} is well\n")
    by_host = pool.run("relay", "status", address.partition(":")[0], "1", "1", "--json")
    assert by_host.json == [{"outlet": "bank1:relay1", "device": None, "power": True, "error": None}]


def test_a_board_is_reached_while_the_database_is_away(pool: Pool, address: str) -> None:
    pool.environment["DATABASE_URL"] = "sqlite:////proc/no-database-can-be-here.sqlite3"
    ran = pool.shell("relay", "test", address, "--without-database")
    assert (ran.status, ran.out, ran.err) == (0, f"{address} is well\n", "")


@pytest.mark.parametrize("by_name", [True, False])
def test_a_board_that_a_worker_talks_to_is_left_to_it_and_its_holder_named(
    pool: Pool, address: str, by_name: bool
) -> None:
    PowerController.objects.filter(name=BOARD).update(
        lease_owner="imaging1:4711:abc:7", lease_until=clock.now() + timedelta(seconds=60)
    )
    before = pool.lab.control.relay_board(BOARD).counters
    ran = pool.run("relay", "cycle", BOARD if by_name else address, "1", "1")
    assert ran.status == 1
    assert ran.complaint.startswith(f"relay: {BOARD} is in use by imaging1:4711:abc:7 (for 5")
    assert pool.lab.control.relay_board(BOARD).counters == before


def test_the_lease_is_given_back_even_when_the_board_fails(pool: Pool) -> None:
    pool.lab.control.fault_relay_board(BOARD, "refused")
    try:
        ran = pool.run("relay", "off", BOARD, "1", "1")
    finally:
        pool.lab.control.heal_relay_board(BOARD)
    assert ran.status == 1
    assert ran.err.startswith("relay: 1 of 1 outlets failed: ")
    assert len(ran.err.splitlines()) == 1
    assert PowerController.objects.get(name=BOARD).lease_owner == "resting"


def test_a_relay_that_does_not_obey_is_told_from_one_that_did(pool: Pool) -> None:
    pool.lab.control.fault_relay_board(BOARD, "wrong_status")
    try:
        ran = pool.run("relay", "off", BOARD, "1", "1", "--json")
    finally:
        pool.lab.control.heal_relay_board(BOARD)
    assert ran.status == 1
    assert (ran.json[0]["power"], "still reads on" in ran.json[0]["error"]) == (None, True)
    assert "Replace or repair" in ran.complaint


def test_an_address_where_nobody_listens_is_status_1(pool: Pool) -> None:
    ran = pool.run("relay", "test", "127.0.0.1:1")
    assert ran.status == 1
    assert ran.complaint.startswith("relay: ")
    assert "127.0.0.1:1" in ran.complaint


def test_a_pdu_is_tested_read_and_cycled_by_the_same_words(pool: Pool) -> None:
    with Twin("snmp_agent", "apc") as pdu:
        rack = PowerController.objects.earliest("pk").rack
        made = make_controller(pdu.address, rack=rack, driver="snmp-apc", settings={"community": "private"})
        assert pool.run("relay", "test", made.name).out == f"{pdu.address} is well\n"
        assert pool.run("relay", "cycle", made.name, "3", "4").status == 0
        assert pdu.orders == [("3", False), ("4", False), ("3", True), ("4", True)]
        status = pool.run("relay", "status", made.name, "3", "--json")
        assert status.json == [{"outlet": "3", "device": None, "power": True, "error": None}]
        every = pool.run("relay", "status", made.name)
        assert (every.status, every.complaint) == (2, "relay: no device is known on it: name its outlets")
    made.refresh_from_db()
    assert made.last_contact is not None


def test_what_a_controller_cannot_tell_is_shown_as_unknown(pool: Pool) -> None:
    urls = {
        "on_url": "http://{address}/outlet/{outlet}/on",
        "off_url": "http://{address}/outlet/{outlet}/off",
    }
    with Twin("web_plug", "plain") as plug:
        rack = PowerController.objects.earliest("pk").rack
        made = make_controller(plug.address, rack=rack, driver="webhook", settings=urls)
        off = pool.run("relay", "off", made.name, "1")
        assert (off.status, off.err) == (0, "")
        assert "unknown: this controller cannot tell" in off.out
        assert plug.orders == [("1", False)]
        assert pool.run("relay", "status", made.name, "1", "--json").json[0]["power"] is None


def test_what_a_person_switches_is_not_asked_of_a_driver(pool: Pool) -> None:
    rack = PowerController.objects.earliest("pk").rack
    made = make_controller("shelf 3", rack=rack, driver="manual")
    ran = pool.run("relay", "off", made.name, "plug 4")
    assert ran.status == 2
    assert "is switched by hand; ask for it by `manage.py power_cycle`" in ran.complaint
