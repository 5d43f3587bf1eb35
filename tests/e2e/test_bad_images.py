"""A bad image is reported as one, whatever the way it fails: by the product's own table, on boards that it fails on.

The image's own columns make its limits short; nothing else differs from a production pool.
"""

import time
from collections.abc import Iterator

import pytest

from simlab.pool import Pool
from tests.e2e.crowd import set_rates, settled
from tests.e2e.http_calls import Http
from tests.e2e.observer import QUICK_IMAGES, Observer
from tests.e2e.report import tell

# Builds of b2g by what is wrong with them; the state in which a device gives each of them up.
BUILDS = {
    "download_fails": "downloading",
    "write_fails": "extracting",
    "never_boots": "sut_verifying",
    "agent_silent": "sut_verifying",
    "storage_fails_later": "sut_sdcard_verifying",
}
_NO_RETRIES = "UPDATE devices_image SET download_limit = 0, install_limit = 0, verify_limit = 1"
_RETRIES = "UPDATE devices_image SET download_limit = 3, install_limit = 3"
SECONDS = 240


def address(fault: str) -> str:
    """Give a bad build an address that tells it from others."""
    return f"http://images.example/{fault}/"


@pytest.fixture
def bad_images(e2e_pool: Pool, observer: Observer) -> Iterator[None]:
    """Break builds of b2g and the whole of android, and have no try repeated; all is well afterwards."""
    set_rates(e2e_pool, {})
    broken = {**{address(fault): fault for fault in BUILDS}, "android": "ports_closed"}
    for what, fault in broken.items():
        e2e_pool.control.break_image(what, fault)
    observer.ask(_NO_RETRIES)
    yield
    for what in broken:
        e2e_pool.control.break_image(what)
    observer.ask(_RETRIES)
    observer.ask(QUICK_IMAGES)


def test_a_bad_image_is_reported_whatever_the_way_it_fails_and_no_device_stays_blamed(
    e2e_pool: Pool, observer: Observer, bad_images: None
) -> None:
    client = Http(e2e_pool.port, [])
    orders: dict[str, dict[str, object]] = {
        **{fault: {"image": "b2g", "b2gbase": address(fault)} for fault in BUILDS},
        "ports_closed": {"image": "android"},
    }
    # Nobody has android installed: a device that has it already is power-cycled only, and would be blamed alone.
    observer.ask(
        "UPDATE devices_device d JOIN devices_image i ON i.id = d.image_id SET d.image_id = NULL, d.boot_config = '' "
        "WHERE i.name = 'android'"
    )
    before = observer.number("SELECT COALESCE(MAX(id), 0) FROM lifeguard_install")
    blamed = (
        "SELECT name, state, failures, quarantine_reason FROM devices_device "
        "WHERE state <> 'ready' OR failures > 0 OR quarantine_reason <> ''"
    )
    # What the tests before have done to the same boards is none of these images' doing.
    blamed_before = observer.ask(blamed)
    began = time.monotonic()
    numbers = {}
    for fault, order in orders.items():
        body = {"assignee": fault, "duration": 3600, **order}
        answer = client.call("POST", "/api/device/any/request/", body)
        assert answer is not None
        numbers[fault] = answer.json()["request"]["id"]
    client.close()
    live = "SELECT COUNT(*) FROM requests_app_request WHERE ended IS NULL"
    took = observer.wait_for(live, 0, SECONDS)
    filed = observer.ask(
        "SELECT assignee, state FROM requests_app_request WHERE id >= %s", min(numbers.values())
    )
    states = {str(name): str(state) for name, state in filed}
    assert states == dict.fromkeys(orders, "failed_bad_image"), took
    tell("bad images", f"{len(orders)} bad images were reported within {time.monotonic() - began:.0f} s")
    given_up = {
        (str(image), str(state))
        for image, state in observer.ask(
            "SELECT i.name, f.failed_in FROM lifeguard_install f JOIN devices_image i ON i.id = f.image_id "
            "WHERE f.id > %s AND NOT f.succeeded",
            before,
        )
    }
    assert given_up == {("b2g", state) for state in BUILDS.values()} | {("android", "port_verifying")}
    settled(e2e_pool, observer, 120)
    assert [device for device in observer.ask(blamed) if device not in blamed_before] == []
