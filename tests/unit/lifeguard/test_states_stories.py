"""The paths through a device's life that matter: image, reuse, maintenance, self-test, health, force."""

from typing import Any

import pytest

from lifeguard.boot_events import canonical_event
from lifeguard.states import DEVICE, DeviceFacts
from mozpool_site.statemachine.machine import Verdict
from tests.unit.statemachine.life import Life


def device(state: str = "ready", **facts: object) -> Life:
    return Life(DEVICE, DeviceFacts(**facts)).put(state)  # type: ignore[arg-type]  # named by each story


def test_an_image_is_installed_verified_by_its_agent_and_handed_over() -> None:
    life = device(verification="agent").happens(
        "please_image",
        "power_cycle_ok",
        "mobile_init_started",
        "image_downloading",
        "image_extracting",
        "image_rebooting",
        "verify_agent_ok",
        "check_storage_ok",
    )
    assert life.states == [
        "pxe_power_cycling",
        "pxe_booting",
        "mobile_init_started",
        "downloading",
        "extracting",
        "sut_verifying",
        "sut_sdcard_verifying",
        "ready",
    ]
    assert life.writes == [
        "set_next_image",
        "begin_task",
        "netboot_on",
        "netboot_off",
        "netboot_off",
        "forget_image",
        "adopt_next_image",
        "report_complete",
    ]
    assert life.works == ["power_cycle", "verify_agent", "check_storage"]


REUSE = {
    "agent": (["power_cycle_ok", "verify_agent_ok", "check_storage_ok"], "verify_agent"),
    "tcp": (["power_cycle_ok", "verify_port_ok"], "verify_port"),
}


@pytest.mark.parametrize("verification", REUSE)
def test_an_image_that_is_there_already_is_only_booted_and_asked_by(verification: str) -> None:
    events, work = REUSE[verification]
    life = device(verification=verification).happens("please_power_cycle", *events)
    assert life.states[0] == "pc_power_cycling"
    assert life.state == "ready"
    assert life.works[:2] == ["power_cycle", work]
    assert "set_next_image" not in life.writes
    assert life.writes[:3] == ["forget_next_image", "begin_task", "netboot_off"]


def test_an_image_that_can_do_no_better_than_ping_waits_out_the_boot_loader_first() -> None:
    life = device(verification="ping", settle_seconds=90).happens("please_power_cycle", "power_cycle_ok")
    booted = life.now
    life.waits().happens("ping_ok")
    assert life.states == ["pc_power_cycling", "pc_rebooting", "pc_pinging", "ready"]
    assert (life.now - booted).total_seconds() == 91
    assert life.works == ["power_cycle", "ping"]


def test_an_image_that_shows_nothing_is_trusted_after_its_settling_time() -> None:
    life = device(verification="none").happens("please_power_cycle", "power_cycle_ok").waits()
    assert life.states == ["pc_power_cycling", "pc_rebooting", "ready"]
    assert life.works == ["power_cycle"]


def test_maintenance_stays_on_the_live_image_until_somebody_asks() -> None:
    life = device().happens("please_start_maintenance", "power_cycle_ok", "mobile_init_started", "maint_mode")
    assert life.state == "maintenance_mode"
    assert life.writes[-2:] == ["netboot_stays_on", "forget_image"]
    assert life.snapshot.deadline is None
    assert life.happens("please_image").state == "pxe_power_cycling"


def test_a_self_test_makes_a_device_ready_and_forgets_what_was_on_it() -> None:
    life = device("failed_pxe_booting").happens(
        "please_self_test", "power_cycle_ok", "mobile_init_started", "self_test_running", "self_test_ok"
    )
    assert life.states[-2:] == ["self_test_running", "ready"]
    assert life.writes[-5:] == [
        "netboot_off",
        "forget_image",
        "forget_next_image",
        "withdraw",
        "report_healthy",
    ]


def test_hardware_without_a_self_test_is_booted_instead() -> None:
    life = device("failed_pxe_booting", self_test_available=False).happens("please_self_test")
    assert life.state == "pc_power_cycling"
    assert "forget_next_image" in life.writes


def test_a_new_device_is_tested_at_once() -> None:
    life = Life(DEVICE, DeviceFacts()).waits()
    assert life.states == ["pxe_power_cycling"]
    assert "next_is_self_test" in life.writes


def test_an_idle_ready_device_is_asked_every_ten_minutes_whether_it_is_well() -> None:
    life = device(verification="agent").waits(3)
    assert life.states == ["ready"] * 3
    assert life.works == ["check_health"] * 3
    life.happens("check_health_ok")
    assert life.last is not None
    assert life.last.verdict is Verdict.STAYED


@pytest.mark.parametrize("facts", [{"held": True, "verification": "agent"}, {"verification": "none"}])
def test_nobody_disturbs_a_device_that_is_held_or_can_not_be_asked(facts: dict[str, Any]) -> None:
    assert device(**facts).waits(2).works == []


def test_an_idle_device_that_does_not_answer_is_tested() -> None:
    assert device().waits().happens("check_health_failed").state == "pxe_power_cycling"


def test_a_locked_out_device_hears_nothing() -> None:
    life = device("locked_out").happens(*DEVICE.events())
    assert life.states == []
    assert life.put("ready").state == "ready"


def test_asking_for_something_else_is_possible_only_once_the_device_rests() -> None:
    assert device("downloading").happens("please_image", "please_self_test").states == []


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("b2g_downloading", "image_downloading"),
        ("android_extracting", "image_extracting"),
        ("my_own_image_rebooting", "image_rebooting"),
        ("image_rebooting", "image_rebooting"),
        ("mobile_init_started", "mobile_init_started"),
        ("_downloading", "_downloading"),
        ("power_cycle_ok", "power_cycle_ok"),
    ],
)
def test_boot_scripts_may_name_their_image(said: str, meant: str) -> None:
    assert canonical_event(said) == meant
