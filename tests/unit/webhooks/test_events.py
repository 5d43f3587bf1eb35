import pytest

from lifeguard.states import DEVICE
from mozpool_site.errors import InvalidInputError
from requests_app.states import REQUEST
from requests_app.webhooks.events import EVENTS, check_patterns, event_name, matches


def test_every_state_that_a_row_may_rest_in_has_an_event() -> None:
    for spec in (REQUEST, DEVICE):
        for state in spec.stored():
            assert event_name(spec, state) in EVENTS


def test_all_failures_share_a_name() -> None:
    assert event_name(REQUEST, "failed_bad_image") == "request.failed"
    assert event_name(DEVICE, "failed_pxe_booting") == "device.failed"
    assert event_name(DEVICE, "ready") == "device.ready"
    assert [event for event in EVENTS if "failed" in event] == ["request.failed", "device.failed"]


@pytest.mark.parametrize(
    ("patterns", "event", "chosen"),
    [
        (["request.*"], "request.ready", True),
        (["request.*"], "device.ready", False),
        (["*.ready"], "device.ready", True),
        (["device.failed"], "device.failed", True),
        (["device.fail"], "device.failed", False),
        (["request.ready", "*"], "device.new", True),
        ([], "request.ready", False),
    ],
)
def test_patterns_choose_events(patterns: list[str], event: str, chosen: bool) -> None:
    assert matches(patterns, event) is chosen


def test_patterns_are_given_back_each_once() -> None:
    assert check_patterns(["request.*", "device.failed", "request.*"]) == ["request.*", "device.failed"]


@pytest.mark.parametrize(
    "value",
    [
        None, "request.*", [], {}, [1], [None], ["request.gone"], ["Request.*"], ["[a-z]*"], ["re quest"], [""],
        ["*" * 65], ["*"] * 51, ["request.*", "ping"],
    ],
)  # fmt: skip
def test_what_chooses_nothing_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_patterns(value)
    assert refused.value.field == "events"


def test_a_pattern_of_many_stars_is_no_burden() -> None:
    assert not matches(["*a" * 30 + "b"], "request.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
