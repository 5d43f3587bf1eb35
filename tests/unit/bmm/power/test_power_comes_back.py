"""Whatever goes wrong in the middle of a power cycle, each outlet that was switched off is told to go on again."""

from collections.abc import Iterator, Mapping
from itertools import count, product
from typing import Any

import pytest

from bmm.deadline import Deadline
from bmm.drivers.power import PowerDriver, command, driver_class, driver_names
from bmm.drivers.power.contract import SwitchesTogether
from bmm.errors import Garbled, HardwareError, Misconfigured, Refused, Unreachable

URLS = {
    "on_url": "http://h/{outlet}/on",
    "off_url": "http://h/{outlet}/off",
    "query_url": "http://h/{outlet}",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "command": {"command": "bench"},
    "ipmi": {"user": "admin"},
    "pdudaemon": {"hostname": "pdu"},
    "redfish": {"user": "admin"},
    "snmp": {"community": "private", "control_oid": "1.3.6.1.4.1.9.9"},
    **{name: {"community": "private"} for name in driver_names() if name.startswith("snmp-")},
    "webhook": URLS,
}
OUTLETS = {"ipmi": ["chassis"], "proxr": [f"bank1:relay{relay}" for relay in range(1, 9)]}
FAULTS = (Unreachable, Garbled, Misconfigured, Refused, KeyError, SystemExit, KeyboardInterrupt)
PEERS_FAULTS = (Unreachable, Misconfigured, Refused)
# Those after which, on a second try, all is well.
PASSING = tuple(fault for fault in FAULTS if fault is not Refused)


class Bench:
    """What a driver has of the world: outlets with power, and the steps of its work that go wrong.

    An order to switch off is obeyed although it goes wrong, one to switch on is not: the worst of both.
    """

    def __init__(self, name: str, faults: Mapping[int, type[BaseException]]) -> None:
        self.steps = 0
        self.faults = faults
        self.outlets = OUTLETS.get(name, ["1", "2"])
        self.power = dict.fromkeys(self.outlets, True)
        self.orders: list[tuple[str, bool]] = []
        self.driver: PowerDriver = _on(self, driver_class(name))(
            "127.0.0.1", SETTINGS.get(name), sleep=lambda _: self.rest()
        )

    def step(self) -> None:
        number, self.steps = self.steps, self.steps + 1
        if number in self.faults:
            raise self.faults[number]

    def rest(self) -> None:
        # Nobody but a person who stops it all breaks off a rest.
        if self.faults.get(self.steps, KeyboardInterrupt) is KeyboardInterrupt:
            self.step()

    def order(self, wanted: Mapping[str, bool]) -> None:
        self.orders += wanted.items()
        self.power.update({outlet: False for outlet, on in wanted.items() if not on})
        self.step()
        self.power.update(wanted)

    def cycle(self) -> dict[str, HardwareError | None]:
        # Far beyond what any of this takes: nothing is waited for.
        return self.driver.cycle(self.outlets, Deadline.after(600))

    @property
    def last_orders(self) -> dict[str, bool]:
        return dict(self.orders)


def _on(bench: Bench, kind: type[PowerDriver]) -> Any:
    """Return a driver as it is, but for what it says to its peer."""

    class Benched(kind):  # type: ignore[misc, valid-type]
        def open(self, deadline: Deadline) -> None:
            bench.step()

        def close(self) -> None:
            bench.step()

        def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
            bench.order({outlet: on})

        def get(self, outlet: str, deadline: Deadline) -> bool:
            bench.step()
            return bench.power[outlet]

    if not issubclass(kind, SwitchesTogether):
        return Benched

    class BenchedTogether(Benched):
        def switch_together(self, wanted: Mapping[str, bool], deadline: Deadline) -> None:
            bench.order(wanted)

    return BenchedTogether


@pytest.fixture(autouse=True)
def commands() -> Iterator[None]:
    command.allow({"bench": {"on": ["true"], "off": ["true"], "state": ["true"]}})
    yield
    command.allow({})


@pytest.mark.parametrize("name", driver_names())
def test_a_cycle_of_every_driver_takes_the_power_of_all_and_gives_it_back(name: str) -> None:
    bench = Bench(name, {})
    assert bench.cycle() == dict.fromkeys(bench.outlets)
    assert bench.orders == [(outlet, on) for on in (False, True) for outlet in bench.outlets]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", driver_names())
def test_one_fault_at_any_step_of_a_cycle_leaves_nothing_off(name: str, fault: type[BaseException]) -> None:
    for step in count():
        bench = Bench(name, {step: fault})
        try:
            results = bench.cycle()
        except KeyboardInterrupt:
            assert fault is KeyboardInterrupt
        else:
            assert results.keys() == set(bench.outlets)
        assert all(bench.last_orders.values()), f"step {step}"
        if fault in PASSING:
            assert all(bench.power.values()), f"step {step}"
        if step >= bench.steps:
            break
    assert step > 4


@pytest.mark.parametrize("name", ["proxr", "qemu", "redfish"])
def test_nor_do_two_faults_of_any_kinds_at_any_steps(name: str) -> None:
    for first, (fault, other) in product(range(_steps(name)), product(PEERS_FAULTS, repeat=2)):
        for second in count(first + 1):
            bench = Bench(name, {first: fault, second: other})
            bench.cycle()
            assert all(bench.last_orders.values()), (first, fault, second, other)
            if second >= bench.steps:
                break


def _steps(name: str) -> int:
    bench = Bench(name, {})
    bench.cycle()
    return bench.steps
