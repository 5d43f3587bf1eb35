"""The request table's numbers and names, against a copy written by hand from the design."""

import pytest

from mozpool_site.statemachine.graph import edges
from requests_app.states import ENDED_STATES, LIVE_STATES, REQUEST

TIMEOUTS: dict[str, float | str | None] = {
    "finding_device": "search_seconds",
    "pending": "device_patience",
    "ready": None,
    "closed": None,
    "failed_device_not_found": None,
    "failed_device_busy": None,
    "failed_bad_device": None,
    "failed_bad_image": None,
}
PROMISED = set(TIMEOUTS) - {"finding_device"}


@pytest.mark.parametrize("name", TIMEOUTS)
def test_the_timeout_is_that_of_the_design(name: str) -> None:
    assert (REQUEST[name].name, REQUEST[name].timeout) == (name, TIMEOUTS[name])


def test_the_design_names_every_state_that_is_stored() -> None:
    assert set(REQUEST.stored()) == set(TIMEOUTS)


def test_what_clients_see_is_promised() -> None:
    assert set(REQUEST.tagged("api")) == PROMISED


def test_a_request_lives_or_has_ended() -> None:
    assert set(LIVE_STATES) == {"finding_device", "pending", "ready"}
    assert set(ENDED_STATES) == set(TIMEOUTS) - set(LIVE_STATES)


def test_whatever_ends_a_request_lets_go_of_its_device() -> None:
    assert {REQUEST[name].writes for name in ENDED_STATES} == {("release",)}


def test_whoever_looks_for_another_device_lets_go_of_the_first_and_has_the_rest_of_its_time() -> None:
    back = [edge for edge in edges(REQUEST) if edge.target == "finding_device" and edge.state == "pending"]
    assert {edge.writes for edge in back} == {("release", "search_on")}
