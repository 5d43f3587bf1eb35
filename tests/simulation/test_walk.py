"""Everything that the tables can do, done: nothing fails, nothing rests where it must not, nothing goes on for ever."""

import pytest

from lifeguard.states import DEVICE
from requests_app.states import REQUEST
from tests.simulation.walk import walk_device, walk_request

VERIFICATIONS = ("agent", "tcp", "ping", "none")


@pytest.mark.parametrize("self_test", [True, False], ids=["with self-test", "without self-test"])
@pytest.mark.parametrize("verification", VERIFICATIONS)
def test_whatever_happens_to_a_device_it_comes_to_rest(verification: str, *, self_test: bool) -> None:
    walk = walk_device(verification, self_test=self_test)
    assert walk.findings() == []
    assert {node.state for node in walk.own} == set(DEVICE.stored())


@pytest.mark.parametrize("named", [True, False], ids=["named", "any"])
def test_whatever_happens_to_a_request_it_comes_to_rest(*, named: bool) -> None:
    walk = walk_request(named=named)
    assert walk.findings() == []
    assert {node.state for node in walk.own} == set(REQUEST.stored())
