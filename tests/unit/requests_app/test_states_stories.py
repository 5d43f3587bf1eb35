"""The life of a request: found at once or late, prepared, handed over, returned; and every way in which it fails."""

from datetime import timedelta

import pytest

from lifeguard.bounds import patience, task_seconds
from lifeguard.states import DeviceFacts
from requests_app.states import LIVE_STATES, REQUEST, RequestFacts
from tests.unit.statemachine.life import Life


def request(state: str = "finding_device", **facts: object) -> Life:
    return Life(REQUEST, RequestFacts(**facts)).put(state)  # type: ignore[arg-type]  # named by each story


def test_a_request_gets_its_device_and_gives_it_back() -> None:
    life = request().happens("matched").knows(device_answer="complete").happens("device_settled", "return")
    assert life.states == ["pending", "ready", "closed"]
    assert life.writes == ["ask_lifeguard", "release"]


@pytest.mark.parametrize("state", LIVE_STATES)
@pytest.mark.parametrize("event", ["expire", "return"])
def test_expiry_and_return_close_a_request_in_any_live_state(state: str, event: str) -> None:
    life = request(state).happens(event)
    assert (life.state, life.writes) == ("closed", ["release"])


@pytest.mark.parametrize("state", REQUEST.tagged("ended"))
def test_an_ended_request_hears_nothing_more(state: str) -> None:
    assert request(state).happens(*[event for event in REQUEST.events() if event != "timeout"]).states == []


@pytest.mark.parametrize(
    ("named", "failed"), [(False, "failed_device_not_found"), (True, "failed_device_busy")]
)
def test_a_search_in_vain_ends_when_its_time_is_over_and_is_one_step(named: bool, failed: str) -> None:
    life = request(named=named, search_seconds=7200)
    assert life.happens("timeout", after=7199).states == []
    assert life.waits().states == [failed]


def test_a_named_device_that_fails_meanwhile_ends_the_search() -> None:
    assert request(named=True, named_device_failed=True).waits().state == "failed_bad_device"


@pytest.mark.parametrize(
    ("event", "failed"), [("device_taken", "failed_device_busy"), ("device_failed", "failed_bad_device")]
)
def test_a_named_device_that_can_not_be_had_is_told_when_filing(event: str, failed: str) -> None:
    assert request(named=True).happens(event).state == failed


def test_any_device_may_fail_ten_times_before_the_request_does() -> None:
    life = request(device_answer="bad_device")
    for _ in range(10):
        life.happens("matched", "device_settled")
        assert life.state == "finding_device"
    assert life.happens("matched", "device_settled").state == "failed_bad_device"
    assert (life.writes.count("release"), life.writes.count("search_on")) == (11, 10)


def test_a_named_device_that_fails_fails_the_request() -> None:
    life = request("pending", named=True, device_answer="bad_device").happens("device_settled")
    assert (life.state, life.writes) == ("failed_bad_device", ["release"])


def test_a_bad_image_gets_two_more_devices_and_is_then_blamed() -> None:
    life = request(device_answer="bad_image")
    for _ in range(2):
        assert life.happens("matched", "device_settled").state == "finding_device"
    assert life.happens("matched", "device_settled").state == "failed_bad_image"


def test_a_bad_image_on_a_named_device_is_blamed_at_once() -> None:
    life = request("pending", named=True, device_answer="bad_image").happens("device_settled")
    assert life.state == "failed_bad_image"


def test_a_device_that_came_back_with_another_image_is_asked_again_five_times() -> None:
    life = request("pending", named=True, device_answer="wrong_image").happens(*["device_settled"] * 5)
    assert (life.states, life.writes) == (["pending"] * 5, ["ask_lifeguard"] * 5)
    assert life.happens("device_settled").state == "failed_bad_device"


def test_the_timer_finds_what_a_lost_signal_did_not_tell() -> None:
    assert request("pending", device_answer="complete").waits().state == "ready"
    assert request("pending", device_answer="bad_device").waits().state == "finding_device"


def test_a_device_is_waited_for_as_long_as_its_own_table_may_take_and_the_next_one_too() -> None:
    life = request("pending").happens()
    assert life.snapshot.deadline is not None
    waited = (life.snapshot.deadline - life.now).total_seconds()
    assert waited == patience(DeviceFacts())
    assert waited > task_seconds(DeviceFacts()) > 2 * 3600
    assert life.waits().state == "finding_device"
    life.happens("matched")
    assert life.snapshot.deadline is not None
    assert (life.snapshot.deadline - life.now).total_seconds() == waited


def test_a_named_device_that_took_longer_than_it_can_take_is_given_up() -> None:
    life = request("pending", named=True).waits()
    assert (life.state, life.writes) == ("failed_bad_device", ["release"])


@pytest.mark.parametrize("answer", ["away", "under_repair"])
def test_a_device_that_is_taken_away_while_it_is_prepared_is_replaced_at_once(answer: str) -> None:
    life = request("pending", device_answer=answer).happens("device_settled")
    assert (life.state, life.writes) == ("finding_device", ["release", "search_on"])


def test_a_named_device_that_is_taken_away_fails_and_one_under_repair_is_waited_for() -> None:
    assert request("pending", named=True, device_answer="away").happens("device_settled").state == (
        "failed_bad_device"
    )
    life = request("pending", named=True, device_answer="under_repair").happens("device_settled")
    assert life.state == "pending"
    assert life.knows(device_answer="complete").happens("device_settled").state == "ready"


@pytest.mark.parametrize("answer", ["away", "under_repair", "bad_device"])
def test_whoever_uses_a_device_is_told_when_it_is_taken_away(answer: str) -> None:
    life = request("ready", device_answer=answer).happens("device_left")
    assert (life.state, life.writes) == ("failed_bad_device", ["release"])


def test_a_named_device_under_repair_is_handed_over_again_afterwards() -> None:
    life = request("ready", named=True, device_answer="under_repair").happens("device_left")
    assert (life.state, life.writes) == ("pending", ["follow_device"])


def test_another_task_of_a_device_that_is_prepared_has_its_own_time() -> None:
    life = request("pending")
    before = life.snapshot.deadline
    life.happens("device_left", after=600)
    assert life.writes == ["follow_device"]
    assert before is not None
    assert life.snapshot.deadline == before + timedelta(seconds=600)


def test_a_rack_that_is_down_sends_a_request_for_any_device_elsewhere_and_counts_nothing() -> None:
    life = request("pending").happens("device_out_of_reach")
    assert (life.state, life.snapshot.counters) == ("finding_device", {})
    assert life.writes == ["release", "search_on"]
    assert request("pending", named=True).happens("device_out_of_reach").state == "pending"


def test_a_device_whose_power_is_cycled_while_held_is_waited_for_and_handed_over_again() -> None:
    life = request("ready").happens("device_left")
    assert life.state == "pending"
    assert life.knows(device_answer="complete").happens("device_settled").state == "ready"
    assert life.writes == ["follow_device"]


def test_a_device_that_is_gone_is_replaced() -> None:
    assert request("pending", device_answer="gone").waits().state == "finding_device"


def test_news_of_a_device_that_still_works_change_nothing() -> None:
    life = request("pending").happens("device_settled")
    assert life.states == []
