"""Where this machine differs from the first one on purpose: one story, at least, for each difference of the design."""

import pytest

from lifeguard.boot_events import canonical_event
from lifeguard.states import DEVICE, DeviceFacts
from mozpool_site.statemachine.machine import Event, Verdict, stale, step
from mozpool_site.statemachine.spec import TIMEOUT, UNHEARD
from tests.unit.statemachine.life import NOON, Life

WORKING = [state.name for state in DEVICE.states if state.work]


def device(state: str = "ready", **facts: object) -> Life:
    return Life(DEVICE, DeviceFacts(**facts)).put(state)  # type: ignore[arg-type]  # named by each story


def test_1_one_pair_of_states_serves_every_image_with_the_images_own_times() -> None:
    life = device("mobile_init_started", download_timeout=77, install_timeout=600)
    life.happens(canonical_event("b2g_downloading"))
    assert life.snapshot.deadline is not None
    assert (life.state, (life.snapshot.deadline - life.now).total_seconds()) == ("downloading", 77)
    life.happens(canonical_event("android_extracting"))
    assert (life.state, (life.snapshot.deadline - life.now).total_seconds()) == ("extracting", 600)


@pytest.mark.parametrize(
    ("verification", "state"),
    [
        ("agent", "sut_verifying"),
        ("tcp", "port_verifying"),
        ("ping", "pc_rebooting"),
        ("none", "pc_rebooting"),
    ],
)
def test_2_an_image_says_how_it_is_verified(verification: str, state: str) -> None:
    assert device("extracting", verification=verification).happens("image_rebooting").state == state


def test_3_nothing_cycles_for_ever() -> None:
    """A device that never does anything comes to rest by its deadlines alone, from wherever it waits."""
    for name in DEVICE.stored():
        life = device(name, verification="ping", self_test_may_help=False)
        moves = 0
        while life.snapshot.deadline is not None and life.state != "ready" and moves < 1000:
            life.waits()
            moves += 1
        assert life.state == "ready" or "steady" in DEVICE[life.state].tags, name


def test_4_no_passing_state_is_ever_stored() -> None:
    for name in DEVICE.stored():
        for event in DEVICE.events():
            decision = step(DEVICE, device(name).snapshot, Event(event), DeviceFacts(), NOON)
            assert decision.state in DEVICE.stored()


FAULTS = ("operation_lost", "hardware_unreachable")


@pytest.mark.parametrize("state", WORKING)
@pytest.mark.parametrize("fault", FAULTS)
def test_5_a_fault_of_the_infrastructure_raises_no_counter_of_failures(state: str, fault: str) -> None:
    life = device(state).happens(*[fault] * 300)
    assert (life.state, life.snapshot.counters) == (state, {"repeats": 300})


@pytest.mark.parametrize("state", WORKING)
def test_5_work_that_no_worker_began_raises_no_counter_of_failures(state: str) -> None:
    life = device(state).waits(300, unbegun=True)
    assert (life.state, life.snapshot.counters) == (state, {"repeats": 300})


@pytest.mark.parametrize("state", WORKING)
@pytest.mark.parametrize("fault", FAULTS)
def test_5_what_the_infrastructure_never_gets_done_ends_and_is_no_failure_of_the_device(
    state: str, fault: str
) -> None:
    life = device(state).happens(*[fault] * 301)
    assert (life.state, life.writes[-1]) == ("failed_unreachable", "report_unreachable")
    assert "report_failure" not in life.writes


@pytest.mark.parametrize("fault", [*FAULTS, UNHEARD])
def test_5_repeats_take_about_a_day(fault: str) -> None:
    repeat = DEVICE.faults[fault]
    hours = sum(repeat.pause(nth) for nth in range(1, repeat.limit + 1)) / 3600
    assert 22 < hours < 25


def test_5_a_lost_worker_is_replaced_at_once_and_a_dead_relay_board_asked_again_after_ten_seconds() -> None:
    assert DEVICE.faults["operation_lost"].pause(1) == 0
    assert DEVICE.faults[UNHEARD].pause(1) == 0
    assert DEVICE.faults["hardware_unreachable"].pause(1) == 10


FAILS_WITH_AN_IMAGE = [
    "pxe_booting",
    "mobile_init_started",
    "downloading",
    "extracting",
    "sut_verifying",
    "port_verifying",
    "sut_sdcard_verifying",
    "pinging",
]


@pytest.mark.parametrize("step_name", FAILS_WITH_AN_IMAGE)
def test_6_whatever_may_be_the_images_fault_is_reported_before_the_device_is_tested(step_name: str) -> None:
    state = DEVICE[f"{step_name}_failed"]
    assert state.writes == ("report_failure",)
    waits = "pc_pinging" if step_name == "pinging" else step_name
    assert "installing" in DEVICE[waits].tags


def test_7_a_timer_of_an_earlier_state_does_nothing() -> None:
    life = device("downloading")
    set_for = {"state_seq": life.snapshot.seq}
    life.happens("image_extracting")

    class Row:
        state_seq = life.snapshot.seq

    assert stale(set_for, Row) == f"state_seq is {life.snapshot.seq}, not {life.snapshot.seq - 1}"


def test_7_a_timer_that_rings_early_does_nothing() -> None:
    life = device("downloading")
    assert step(DEVICE, life.snapshot, Event(TIMEOUT), life.facts, life.now).verdict is Verdict.IGNORED


def test_an_early_call_of_the_board_proves_that_the_power_cycle_worked() -> None:
    life = device().happens("please_image", "mobile_init_started")
    assert life.state == "mobile_init_started"
    assert life.happens("power_cycle_ok").states[-1] == "mobile_init_started"


LOST = {
    "the first call": (["power_cycle_ok", "image_downloading"], "downloading"),
    "the first call of a maintenance": (["power_cycle_ok", "maint_mode"], "maintenance_mode"),
    "the first call of a self-test": (["power_cycle_ok", "self_test_running"], "self_test_running"),
    "the extraction": (
        ["power_cycle_ok", "mobile_init_started", "image_downloading", "image_rebooting"],
        "pc_rebooting",
    ),
}


@pytest.mark.parametrize("story", LOST)
def test_a_lost_event_is_made_up_for_by_the_next(story: str) -> None:
    events, state = LOST[story]
    assert device().happens("please_image", *events).state == state


def test_an_event_said_twice_acts_once() -> None:
    life = device("mobile_init_started").happens(
        "image_downloading", "image_downloading", "mobile_init_started"
    )
    assert life.states == ["downloading"]


def test_a_dead_relay_board_is_asked_again_after_ten_seconds() -> None:
    life = device("pc_power_cycling").happens("hardware_unreachable")
    assert life.last is not None
    assert life.last.not_before is not None
    assert (life.last.not_before - life.now).total_seconds() == 10
