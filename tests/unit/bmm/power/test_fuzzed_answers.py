"""Hundreds of odd answers to every driver: only a HardwareError leaves it, and in time; `make fuzz-wire` has more."""

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bmm.drivers.power import driver_class
from tests.unit.bmm.power.mangling import ENDLESS
from tests.unit.bmm.power.spoiling import (
    KINDS,
    PROGRAMS,
    Kind,
    Spoiler,
    ask,
    between,
    peers,
    printed_talks,
    talks,
)

SEED = "20261201"


@pytest.fixture(scope="module")
def behind() -> Iterator[Callable[[Kind], int]]:
    with peers() as port_of:
        yield port_of


@pytest.mark.parametrize("name", KINDS)
def test_of_what_is_odd_nothing_but_a_hardware_error_leaves_a_driver_and_in_time(
    name: str, behind: Callable[[Kind], int]
) -> None:
    outcomes = talks(SEED, name, behind)
    # Else nothing was spoilt.
    assert outcomes.total() > outcomes["fine"]


@pytest.mark.parametrize("name", [name for name in KINDS if name != "ipmi"])
def test_a_peer_that_never_stops_talking_is_not_listened_to_for_long(
    name: str, behind: Callable[[Kind], int]
) -> None:
    kind = KINDS[name]
    spoil = Spoiler(name)
    spoil.share, spoil.way = 1.0, "endless"
    with between(kind, spoil, behind) as peer:
        # Its library is not what is measured.
        driver_class(kind.driver)
        tracemalloc.start()
        try:
            ask(replace(kind, seconds=0.6), peer.port, 1)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peer.most < ENDLESS
    assert most < ENDLESS / 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_nor_of_what_a_program_prints(name: str, tmp_path: Path) -> None:
    outcomes = printed_talks(SEED, name, tmp_path)
    assert outcomes.total() > outcomes["fine"]
