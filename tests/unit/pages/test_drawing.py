"""Where a device is, came from and can go: the road of its task, the ways on, and the boxes of the drawing."""

from itertools import combinations

import pytest

from lifeguard.states import DEVICE, DeviceFacts
from mozpool_site.statemachine.graph import edges
from pages.device.drawing import Box, draw
from pages.device.outlook import known_facts, time_allowed, ways
from pages.device.road import INSTALLING, MAINTAINING, RESTARTING, SELF_TESTING, places

FACTS = known_facts({"verification": "agent"}, held=True)
# Where a device is that nobody is bringing anywhere.
OFF_THE_ROAD = {"unknown", "locked_out", "troubleshooting", "failed_unreachable"}


def standings(state: str, image: str | None) -> list[str]:
    return [f"{place.label}: {place.standing}" for place in places(state, image)[1]]


def test_every_state_that_is_stored_has_its_place_on_a_road_or_is_off_all_of_them() -> None:
    on_a_road = {state for state in DEVICE.stored() if places(state, None)[1]}
    assert set(DEVICE.stored()) - on_a_road == OFF_THE_ROAD
    named = {
        state
        for road in (INSTALLING, MAINTAINING, RESTARTING, SELF_TESTING)
        for stop in road.stops
        for state in stop.states
    }
    assert named <= set(DEVICE.stored())


def test_an_installation_under_way_has_passed_some_stops_and_others_ahead() -> None:
    assert places("downloading", "android")[0] == "installation"
    assert standings("downloading", "android") == [
        "Power: passed", "Network boot: passed", "Live image: passed", "Download: here",
        "Write: ahead", "Check: ahead", "Ready: ahead",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "image", "stop"),
    [
        ("failed_downloading", "android", "Download"),
        ("failed_sut_verifying", "android", "Check"),
        ("failed_self_test", None, "Self-test"),
        ("failed_power_cycling", None, "Power"),
        ("failed_pxe_booting", "maintenance", "Network boot"),
        ("failed_pinging", None, "Check"),
    ],
)
def test_a_failed_device_stands_where_it_broke_down(state: str, image: str | None, stop: str) -> None:
    assert [one for one in standings(state, image) if one.endswith("failed")] == [f"{stop}: failed"]


def test_a_device_that_tests_itself_is_on_another_road_than_one_in_maintenance() -> None:
    assert [places("pxe_booting", image)[0] for image in ("self-test", "maintenance", "b2g")] == [
        "self-test", "maintenance", "installation",
    ]  # fmt: skip
    assert places("pc_power_cycling", None)[0] == "restart"
    assert standings("new", None)[0] == "New: here"


def test_ways_on_tell_the_time_and_how_often_it_is_tried_again() -> None:
    found = {way.state: way for way in ways("pxe_booting", FACTS, {"pxe_booting": 3})}
    assert found["pxe_power_cycling"].reasons == ("after 3 min, retry 4 of 5",)
    assert found["pxe_booting_failed"].reasons == ("after 3 min, past 5 retries",)
    assert found["mobile_init_started"].reasons == ("mobile_init_started",)
    assert not any(way.asked for way in found.values())


def test_a_way_that_has_been_gone_too_often_is_left_out() -> None:
    assert "pxe_power_cycling" not in {way.state for way in ways("pxe_booting", FACTS, {"pxe_booting": 5})}


def test_what_is_known_of_a_device_rules_ways_out() -> None:
    held = {way.state: way.reasons for way in ways("ready", FACTS, {})}
    assert held["ready"] == ("after 10 min",)
    (verifying,) = [way for way in ways("extracting", FACTS, {}) if way.state == "verifying"]
    assert verifying.onward == ("sut_verifying",)
    by_ping = known_facts({"verification": "ping"}, held=False)
    (verifying,) = [way for way in ways("extracting", by_ping, {}) if way.state == "verifying"]
    assert verifying.onward == ("pc_rebooting",)


def test_what_people_may_ask_for_comes_last_and_is_marked() -> None:
    found = ways("failed_downloading", FACTS, {})
    assert [(way.state, way.asked, way.reasons) for way in found] == [
        ("start_self_test", True, ("asked for: self test",)),
        ("start_maintenance", True, ("asked for: start maintenance",)),
    ]


def test_times_that_depend_on_the_image_are_told_as_the_image_has_them() -> None:
    slow = known_facts({"install_timeout": 5400}, held=False)
    assert [time_allowed("extracting", facts) for facts in (FACTS, slow)] == ["5 min", "90 min"]
    assert [time_allowed(state, FACTS) for state in ("new", "mobile_init_started", "locked_out")] == [
        "at once", "10 s", "",
    ]  # fmt: skip


def overlap(one: Box, other: Box) -> bool:
    apart = one.x + one.width <= other.x or other.x + other.width <= one.x
    above = one.y - 15 * len(one.above), other.y - 15 * len(other.above)
    return not apart and above[0] < other.foot and above[1] < one.foot


@pytest.mark.parametrize("state", DEVICE.stored())
def test_no_state_is_drawn_over_another_or_over_the_edge(state: str) -> None:
    every = {
        name: getattr(DeviceFacts(), name) for name in ("download_limit", "install_limit", "verify_limit")
    }
    facts = {**FACTS, **every}
    for past in ([], ["pxe_booting", "mobile_init_started", "downloading"]):
        drawn = draw(state, past, ways(state, facts, {}))
        assert [
            pair for pair in combinations(drawn.boxes, 2) if pair[0].role != "past" and overlap(*pair)
        ] == []
        for box in drawn.boxes:
            assert box.x >= 0
            assert box.x + box.width <= drawn.width
            assert box.y - 15 * len(box.above) >= 0
            assert box.y + box.height <= drawn.height
        assert all(y > 0 for y, _ in drawn.again_lines)
        assert drawn.now.state == state


def test_while_nothing_is_known_every_way_of_the_table_is_told() -> None:
    numbers = {name: value for name, value in FACTS.items() if name not in ("held", "verification")}
    for state in DEVICE.stored():
        own = [edge for edge in edges(DEVICE) if edge.state == state and edge.event not in DEVICE.faults]
        told = {way.state for way in ways(state, numbers, {})}
        assert told == {edge.target for edge in own if not edge.stays}


def test_faults_of_the_infrastructure_are_told_once_there_have_been_some() -> None:
    assert "failed_unreachable" not in {way.state for way in ways("pc_power_cycling", FACTS, {})}
    found = {way.state: way.reasons for way in ways("pc_power_cycling", FACTS, {"repeats": 7})}
    assert "power controller silent, retry 8 of 300" in found["pc_power_cycling"]
    assert "power controller silent, past 300 retries" in found["failed_unreachable"]


def test_the_drawing_says_in_words_what_it_shows() -> None:
    told = draw("pxe_booting", ["pxe_power_cycling"], ways("pxe_booting", FACTS, {})).told
    assert told.startswith("It came from pxe_power_cycling. It is in pxe_booting. May go to ")
    assert "pxe_booting_failed: after 3 min, past 5 retries." in told
    assert draw("locked_out", [], ()).told == "It is in locked_out. Only a forced change leads out."
    assert draw("locked_out", [], ()).is_end
