"""Every way in which a device's task fails: what is retried, how often exactly, and where it ends."""

import pytest

from lifeguard.states import DEVICE, DeviceFacts
from mozpool_site.statemachine.machine import Verdict
from mozpool_site.statemachine.spec import TIMEOUT
from tests.unit.statemachine.life import Life


def device(state: str = "ready", **facts: object) -> Life:
    return Life(DEVICE, DeviceFacts(**facts)).put(state)  # type: ignore[arg-type]  # named by each story


# state, limit, where a retry goes, where the end is (when a self-test may not help)
GIVING_UP = [
    ("pc_power_cycling", 14, "pc_power_cycling", "failed_power_cycling"),
    ("pxe_power_cycling", 14, "pxe_power_cycling", "failed_power_cycling"),
    ("pxe_booting", 5, "pxe_power_cycling", "failed_pxe_booting"),
    ("mobile_init_started", 3, "pxe_power_cycling", "failed_mobile_init_started"),
    ("downloading", 3, "pxe_power_cycling", "failed_downloading"),
    ("extracting", 3, "pxe_power_cycling", "failed_extracting"),
    ("sut_verify_power_cycle", 3, "sut_verify_power_cycle", "failed_sut_verifying"),
    ("sut_sdcard_verifying", 2, "sut_sdcard_verifying", "failed_sut_sdcard_verifying"),
]


@pytest.mark.parametrize(("state", "limit", "again", "failed"), GIVING_UP)
def test_the_limit_th_failure_is_retried_and_the_next_gives_up(
    state: str, limit: int, again: str, failed: str
) -> None:
    life = device(self_test_may_help=False)
    for failure in range(limit):
        life.put(state, **{state: failure}).waits()
        assert (life.state, life.snapshot.counters[state]) == (again, failure + 1)
    life.put(state, **{state: limit}).waits()
    assert life.state == failed
    assert life.writes == ["report_failure"]


def test_a_download_that_always_hangs_boots_four_times_and_then_gives_up() -> None:
    life = device(self_test_may_help=False).happens("please_image")
    boots = 0
    while life.state == "pxe_power_cycling":
        boots += 1
        life.happens("power_cycle_ok", "mobile_init_started", "image_downloading").waits()
    assert (boots, life.state) == (4, "failed_downloading")


@pytest.mark.parametrize("state", ["downloading", "extracting", "pxe_booting", "mobile_init_started"])
def test_a_self_test_follows_at_once_where_it_may_help(state: str) -> None:
    life = device(download_limit=0, install_limit=0).put(state, pxe_booting=5, mobile_init_started=3).waits()
    assert life.state == "pxe_power_cycling"
    assert life.writes == ["report_failure", "withdraw", "next_is_self_test", "netboot_on"]
    assert life.snapshot.counters == {}


def test_a_silent_agent_gets_a_power_cycle_at_every_tenth_window_and_is_given_up_after_thirty() -> None:
    life = device("sut_verifying", verification="agent", self_test_may_help=False)
    windows = 0
    cycles = []
    while "failed" not in life.state:
        life.waits()
        windows += 1
        if life.state == "sut_verify_power_cycle":
            cycles.append(windows)
            life.happens("power_cycle_ok")
    assert (cycles, windows, life.state) == ([10, 20, 30], 31, "failed_sut_verifying")


def test_a_silent_port_gets_its_power_cycles_too() -> None:
    life = device("port_verifying", verification="tcp").waits(10)
    assert life.state == "sut_verify_power_cycle"
    assert life.happens("power_cycle_ok").state == "port_verifying"
    assert life.snapshot.counters["verifying"] == 10


def test_pings_in_vain_power_cycle_three_times_and_then_end() -> None:
    life = device(verification="ping", self_test_may_help=False).happens("please_power_cycle")
    cycles = pings = 0
    while "failed" not in life.state:
        cycles += 1
        life.happens("power_cycle_ok").waits()
        while life.state == "pc_pinging":
            pings += 1
            life.waits()
    assert (cycles, pings, life.state) == (4, 4 * 13, "failed_pinging")


def test_a_failed_storage_check_counts_like_its_timeout() -> None:
    life = device("sut_sdcard_verifying", self_test_may_help=False)
    life.happens("check_storage_failed").waits()
    assert life.snapshot.counters == {"sut_sdcard_verifying": 2}
    assert life.happens("check_storage_failed").state == "failed_sut_sdcard_verifying"


@pytest.mark.parametrize("ends", ["failed_self_test", TIMEOUT])
def test_a_self_test_that_fails_or_hangs_takes_the_device_out_of_the_pool(ends: str) -> None:
    life = device("self_test_running")
    life = life.waits() if ends == TIMEOUT else life.happens(ends)
    assert (life.state, life.writes) == ("failed_self_test", ["report_failure"])


def test_a_refused_power_cycle_waits_for_its_deadline_before_the_next() -> None:
    life = device("pxe_power_cycling").happens("power_cycle_failed")
    assert life.last is not None
    assert life.last.verdict is Verdict.STAYED
    assert life.waits().snapshot.counters == {"pxe_power_cycling": 1}


MISCONFIGURED = [
    ("pc_power_cycling", "misconfigured", "failed_power_cycling"),
    ("pxe_power_cycling", "misconfigured", "failed_power_cycling"),
    ("pxe_power_cycling", "no_boot_config", "failed_pxe_booting"),
    ("sut_verify_power_cycle", "misconfigured", "failed_sut_verifying"),
]


@pytest.mark.parametrize(("state", "event", "failed"), MISCONFIGURED)
def test_what_only_a_person_can_correct_is_not_retried(state: str, event: str, failed: str) -> None:
    life = device(state, self_test_may_help=False).happens(event)
    assert (life.state, life.writes) == (failed, ["report_failure"])


@pytest.mark.parametrize("failed", DEVICE.tagged("failed"))
def test_a_failed_device_waits_for_a_person_and_hears_nothing_else(failed: str) -> None:
    life = device(failed)
    assert life.snapshot.deadline is None
    assert (
        life.happens("mobile_init_started", "power_cycle_ok", "please_image", "please_power_cycle").states
        == []
    )
    assert life.happens("please_self_test").state == "pxe_power_cycling"
