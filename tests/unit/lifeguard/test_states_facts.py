"""The numbers and names that years of running Pandaboards gave, against a copy written by hand from the design."""

import pytest

from lifeguard.states import DEVICE, PLEASE_EVENTS, DeviceFacts
from mozpool_site.statemachine.spec import Retry

# name: (timeout in seconds, or the image's column; limit, or the image's column)
WAITING: dict[str, tuple[float | str | None, int | str | None]] = {
    "new": (0, None),
    "unknown": (None, None),
    "locked_out": (None, None),
    "troubleshooting": (None, None),
    "ready": (600, None),
    "pc_power_cycling": ("power_timeout", "power_limit"),
    "pc_rebooting": ("settle_seconds", None),
    "pc_pinging": (10, 12),
    "pxe_power_cycling": ("power_timeout", "power_limit"),
    "pxe_booting": (180, 5),
    "mobile_init_started": (10, 3),
    "downloading": ("download_timeout", "download_limit"),
    "extracting": ("install_timeout", "install_limit"),
    "sut_verifying": ("verify_timeout", "verify_limit"),
    "port_verifying": ("verify_timeout", "verify_limit"),
    "sut_verify_power_cycle": ("power_timeout", "repower_limit"),
    "sut_sdcard_verifying": (60, 2),
    "maintenance_mode": (None, None),
    "self_test_running": (3600, None),
    "failed_downloading": (None, None),
    "failed_extracting": (None, None),
    "failed_sut_verifying": (None, None),
    "failed_port_verifying": (None, None),
    "failed_sut_sdcard_verifying": (None, None),
    "failed_pinging": (None, None),
    "failed_power_cycling": (None, None),
    "failed_pxe_booting": (None, None),
    "failed_mobile_init_started": (None, None),
    "failed_self_test": (None, None),
    "failed_unreachable": (None, None),
}
PROMISED = {"new", "locked_out", "troubleshooting", "ready", "maintenance_mode"}


@pytest.mark.parametrize("name", WAITING)
def test_timeout_and_limit_are_those_of_the_design(name: str) -> None:
    state = DEVICE[name]
    limit = state.on_timeout.limit if isinstance(state.on_timeout, Retry) else None
    assert (state.name, state.timeout, limit) == (name, *WAITING[name])


def test_the_design_names_every_state_that_is_stored() -> None:
    assert set(DEVICE.stored()) == set(WAITING)


def test_the_promised_names_and_every_failed_state_are_tagged_so() -> None:
    failed = {name for name in WAITING if name.startswith("failed_")}
    assert set(DEVICE.tagged("api")) == PROMISED | failed
    assert set(DEVICE.tagged("failed")) == failed


def test_the_defaults_of_an_images_columns_and_of_power() -> None:
    facts = DeviceFacts()
    assert (facts.download_timeout, facts.download_limit) == (180, 3)
    assert (facts.install_timeout, facts.install_limit) == (300, 3)
    assert (facts.verify_timeout, facts.verify_limit) == (45, 30)
    assert facts.settle_seconds == 120
    assert (facts.power_limit, facts.repower_limit) == (14, 3)


PLEASE = {"please_self_test", "please_start_maintenance", "please_power_cycle", "please_image"}
MEND = {"please_self_test", "please_start_maintenance"}


@pytest.mark.parametrize("name", WAITING)
def test_people_may_ask_where_the_design_says(name: str) -> None:
    everything = {"new", "unknown", "troubleshooting", "ready", "maintenance_mode"}
    mend = {"self_test_running", *DEVICE.tagged("failed")}
    allowed = PLEASE if name in everything else MEND if name in mend else set()
    assert set(DEVICE[name].on) & PLEASE == allowed


def test_there_are_four_things_to_ask_for() -> None:
    assert set(PLEASE_EVENTS) == PLEASE


def test_steady_states_are_those_that_wait_for_somebody() -> None:
    failed = set(DEVICE.tagged("failed"))
    assert (
        set(DEVICE.tagged("steady"))
        == {"unknown", "locked_out", "troubleshooting", "maintenance_mode"} | failed
    )
