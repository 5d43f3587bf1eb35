"""The SNMP drivers against a real agent in a process of its own, by all three versions of the protocol."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver, make_driver
from bmm.errors import HardwareError, Misconfigured, Refused, Unreachable
from tests.servers.process import free_port
from tests.unit.bmm.power.twins import Twin

WRITER = {"community": "private"}
V3 = {"version": "3", "user": "mozpool", "auth_password": "authentication", "priv_password": "encryption"}
# Each kind of agent with the driver for it, an outlet and what the agent calls that.
KINDS = [
    ("apc", "snmp-apc", "3", "3"),
    ("masterswitch", "snmp-apc-masterswitch", "3", "3"),
    ("raritan", "snmp-raritan", "3", "1.3"),
    ("eaton", "snmp-eaton", "3", "0.3"),
    ("eaton", "snmp-eaton", "1.3", "1.3"),
    ("poe", "snmp-poe", "24", "1.24"),
]


def driver_for(agent: Twin, name: str = "snmp-apc", **settings: Any) -> PowerDriver:
    driver = make_driver(name, agent.address, {"off_seconds": 0.1, **(settings or WRITER)})
    driver.settle_seconds = 0.6
    return driver


@pytest.fixture(scope="module")
def pdu() -> Iterator[Twin]:
    with Twin("snmp_agent", "apc") as agent:
        yield agent


@pytest.mark.parametrize(("kind", "name", "outlet", "known_as"), KINDS)
def test_each_kind_is_cycled_and_read_by_its_own_variables(
    kind: str, name: str, outlet: str, known_as: str
) -> None:
    with Twin("snmp_agent", kind, "--outlets", known_as) as agent:
        driver = driver_for(agent, name)
        assert driver.cycle([outlet], Deadline.after(60)) == {outlet: None}
        assert agent.orders == [(known_as, False), (known_as, True)]
        assert driver.power_off([outlet], Deadline.after(60)) == {outlet: None}
        assert driver.read([outlet], Deadline.after(60)) == {outlet: False}


def test_a_switch_of_another_kind_is_driven_by_the_variables_in_the_settings(pdu: Twin) -> None:
    apc = "1.3.6.1.4.1.318.1.1.12.3"
    driver = driver_for(
        pdu, "snmp", community="private", control_oid=f"{apc}.3.1.1.4", state_oid=f".{apc}.5.1.1.4"
    )
    assert driver.power_off(["5"], Deadline.after(60)) == {"5": None}
    assert driver.power_on(["5"], Deadline.after(60)) == {"5": None}
    assert driver.read(["5"], Deadline.after(60)) == {"5": True}


@pytest.mark.parametrize("login", [WRITER, {**WRITER, "version": "1"}, V3])
def test_every_version_of_the_protocol_switches_and_tells(pdu: Twin, login: dict[str, Any]) -> None:
    driver = driver_for(pdu, **login)
    assert driver.test(Deadline.after(60)) is True
    assert driver.cycle(["1", "2"], Deadline.after(60)) == {"1": None, "2": None}
    missing = driver.read(["99"], Deadline.after(60))["99"]
    assert isinstance(missing, Misconfigured)
    assert "another kind of switch, or no such outlet" in str(missing)


def test_a_whole_pdu_that_lags_behind_is_told_first_and_read_afterwards() -> None:
    outlets = [str(number) for number in range(1, 25)]
    with Twin("snmp_agent", "apc", "--outlets", ",".join(outlets), "--lag", "0.4") as agent:
        driver = driver_for(agent)
        began = time.monotonic()
        assert driver.cycle(outlets, Deadline.after(20)) == dict.fromkeys(outlets)
        # One after the other it would be 24 times 0.8 s.
        assert time.monotonic() - began < 15
        assert len(agent.orders) == 48


def test_an_outlet_that_sticks_is_refused_and_the_others_are_cycled() -> None:
    with Twin("snmp_agent", "apc", "--stuck", "2") as agent:
        results = driver_for(agent).cycle(["1", "2", "3"], Deadline.after(60))
    assert (results["1"], results["3"]) == (None, None)
    assert isinstance(results["2"], Refused)
    assert "was switched off twice and still reads on" in str(results["2"])


def test_devices_go_on_one_after_the_other_where_the_fuse_is_small(pdu: Twin) -> None:
    driver = driver_for(pdu)
    driver.stagger_seconds = 0.3
    before = len(pdu.orders)
    assert driver.cycle(["1", "2", "3"], Deadline.after(60)) == {"1": None, "2": None, "3": None}
    orders, times = pdu.orders[before:], pdu.times[before:]
    assert [on for _, on in orders] == [False] * 3 + [True] * 3
    assert times[2] - times[0] < 0.3
    assert all(later - earlier >= 0.29 for earlier, later in pairwise(times[3:]))


@pytest.mark.parametrize(
    ("login", "kind", "words"),
    [
        ({"community": "public"}, Misconfigured, "ask for write access"),
        ({**V3, "user": "nobody"}, Misconfigured, "does not accept our SNMP login"),
        ({**V3, "auth_password": "something else"}, Misconfigured, "does not accept our SNMP login"),
        ({"community": "wrong"}, Unreachable, "to a wrong community it says nothing either"),
    ],
)
def test_a_login_that_is_not_accepted_is_told_apart_from_silence_where_it_can_be(
    pdu: Twin, login: dict[str, Any], kind: type[HardwareError], words: str
) -> None:
    error = driver_for(pdu, **login).power_off(["1"], Deadline.after(60))["1"]
    assert type(error) is kind
    assert words in str(error)


def test_nobody_at_the_address_is_silence(pdu: Twin) -> None:
    driver = make_driver("snmp-apc", f"127.0.0.1:{free_port()}", WRITER)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        driver.test(Deadline.after(2))
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "setting community is missing"),
        ({"version": "4", **WRITER}, "setting version: one of 1, 2c, 3 expected"),
        ({"version": "3"}, "setting user is missing"),
        ({**V3, "priv_password": "short"}, "setting priv_password: 8 characters or more expected"),
        ({**V3, "auth_protocol": "none"}, "nothing is encrypted without auth_protocol"),
        ({**WRITER, "off_seconds": float("nan")}, "setting off_seconds: 0 to 10 expected"),
    ],
)
def test_a_login_that_cannot_be_is_refused_before_anything_is_sent(
    settings: dict[str, object], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        make_driver("snmp-apc", "127.0.0.1", settings)


@pytest.mark.parametrize("oid", ["", "1.2", "sysUpTime", "1.3.6.1.4.1.99999999999"])
def test_a_generic_switch_wants_a_variable(oid: str) -> None:
    driver = make_driver("snmp", "127.0.0.1", {**WRITER, "control_oid": oid})
    assert isinstance(driver.power_off(["1"], Deadline.after(1))["1"], Misconfigured)
