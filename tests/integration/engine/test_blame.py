"""Which is to blame, the image or the device: the second healthy device on which an image fails clears both."""

from datetime import timedelta

import pytest

from bmm.models import Operation
from devices.models import Device, Image
from devices.models.device import Health, Result
from lifeguard.blame import config_digest
from lifeguard.machine import device_runner
from lifeguard.models import Install
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.spec import TIMEOUT
from tests.factories import make_controller, make_device, make_image, make_request

pytestmark = pytest.mark.django_db(transaction=True)
BUILD = '{"b2gbase": "http://images.example/1/"}'


def installing(image: Image, *, boot_config: str = BUILD, **columns: object) -> Device:
    """Make a device that is writing the image, for the last time that its limit allows."""
    return make_device(
        state="extracting",
        next_image=image,
        next_boot_config=boot_config,
        counters={"extracting": image.install_limit},
        deadline=clock.now(),
        **columns,
    )


def fails(device: Device) -> Device:
    """Let the install run out of time once more."""
    device_runner.deliver(device.pk, Event(TIMEOUT))
    return Device.objects.get(pk=device.pk)


def succeeds(image: Image, **columns: object) -> None:
    """Let an install on another device come to its end."""
    device = make_device(state="port_verifying", next_image=image, next_boot_config=BUILD, **columns)
    device_runner.deliver(device.pk, Event("verify_port_ok"))
    assert Device.objects.get(pk=device.pk).state == "ready"


def test_the_first_device_on_which_an_image_fails_is_held_for_the_bad_one() -> None:
    device = fails(installing(make_image()))
    assert (device.state, device.result, device.failures) == ("failed_extracting", Result.BAD_DEVICE, 1)
    assert device.health == Health.BAD
    assert device.quarantine_reason == "extracting gave up after timeout"


def test_the_second_healthy_device_on_which_it_fails_clears_both_and_blames_the_image() -> None:
    image = make_image()
    fails(installing(image))
    second = fails(installing(image))
    assert (second.result, second.failures, second.health) == (Result.BAD_IMAGE, 0, Health.UNKNOWN)
    assert [install.failed_in for install in Install.objects.order_by("pk")] == ["extracting", "extracting"]


def test_what_was_held_against_the_first_device_is_taken_back_when_the_image_is_blamed() -> None:
    image = make_image()
    first, spoken_of = fails(installing(image)), make_device()
    fails(installing(image))
    first.refresh_from_db()
    assert (first.failures, first.health, first.quarantine_reason) == (0, Health.UNKNOWN, "")
    assert spoken_of.health == Health.UNKNOWN


def test_what_a_person_says_of_the_first_device_stands() -> None:
    image = make_image()
    first = fails(installing(image))
    Device.objects.filter(pk=first.pk).update(quarantine_reason="burnt", quarantine_by="ada")
    fails(installing(image))
    first.refresh_from_db()
    assert (first.failures, first.health, first.quarantine_reason) == (0, Health.BAD, "burnt")


@pytest.mark.parametrize("state", ["pxe_booting", "mobile_init_started"])
def test_an_image_whose_boot_config_does_not_boot_is_blamed_too(state: str) -> None:
    image = make_image()
    devices = [
        make_device(
            state=state,
            next_image=image,
            next_boot_config=BUILD,
            counters={state: 5},
            deadline=clock.now(),
        )
        for _ in range(2)
    ]
    assert [fails(device).result for device in devices] == [Result.BAD_DEVICE, Result.BAD_IMAGE]


@pytest.mark.parametrize("verification", ["ping"])
def test_an_image_that_never_answers_ping_is_blamed(verification: str) -> None:
    image = make_image(verification=verification)
    exhausted = {"pc_pinging": 12, "pinged_in_vain": 3}
    devices = [
        make_device(
            state="pc_pinging",
            next_image=image,
            next_boot_config=BUILD,
            counters=exhausted,
            deadline=clock.now(),
        )
        for _ in range(2)
    ]
    assert [fails(device).result for device in devices] == [Result.BAD_DEVICE, Result.BAD_IMAGE]


def test_what_the_infrastructure_never_got_done_ends_with_the_last_error_and_no_blame() -> None:
    image = make_image()
    day_ago = clock.now() - timedelta(hours=24)
    device = make_device(
        state="pxe_power_cycling", next_image=image, counters={"repeats": 300}, state_since=day_ago
    )
    request = make_request(image, state="pending", device=device, requested_device=device, task_seq=0)
    told = Event("hardware_unreachable", {"message": "relay-1: no answer"})
    device_runner.deliver(device.pk, told)
    device.refresh_from_db()
    assert (device.state, device.failures, device.health) == ("failed_unreachable", 0, Health.UNKNOWN)
    assert device.quarantine_reason == (
        "relay-1: no answer; pxe_power_cycling was begun again 300 times in 24.0 h"
    )
    assert not Install.objects.exists()
    request.refresh_from_db()
    assert request.state == "failed_bad_device"


def test_a_person_who_switches_the_power_is_waited_for_four_hours() -> None:
    by_hand = make_controller("nobody", driver="manual")
    device = make_device(
        state="pc_power_cycling",
        power_controller=by_hand,
        outlet="3",
        counters={"pc_power_cycling": 238},
        deadline=clock.now(),
    )
    assert fails(device).state == "pc_power_cycling"
    # Looked at every few seconds, and never confirmed.
    Operation.objects.update(attempts=12, not_before=clock.now())
    Device.objects.filter(pk=device.pk).update(deadline=clock.now())
    assert fails(device).state == "failed_power_cycling"


def test_the_failure_of_a_device_that_was_failing_already_says_nothing_about_the_image() -> None:
    image = make_image()
    fails(installing(image, failures=1))
    second = fails(installing(image))
    assert second.result == Result.BAD_DEVICE


def test_an_image_that_has_succeeded_since_is_not_to_blame() -> None:
    image = make_image()
    fails(installing(image))
    succeeds(image)
    assert fails(installing(image)).result == Result.BAD_DEVICE


def test_another_build_of_the_image_is_another_matter() -> None:
    image = make_image()
    fails(installing(image))
    other = fails(installing(image, boot_config='{"b2gbase": "http://images.example/2/"}'))
    assert other.result == Result.BAD_DEVICE


def test_the_same_device_failing_twice_is_no_second_witness() -> None:
    image = make_image()
    first = installing(image)
    fails(first)
    now = clock.now()
    Device.objects.filter(pk=first.pk).update(
        state="extracting",
        next_image=image,
        next_boot_config=BUILD,
        failures=0,
        deadline=now,
        counters={"extracting": 10},
    )
    assert fails(first).result == Result.BAD_DEVICE


def test_evidence_of_long_ago_is_forgotten() -> None:
    image = make_image()
    fails(installing(image))
    Install.objects.update(finished=clock.now() - timedelta(hours=25))
    assert fails(installing(image)).result == Result.BAD_DEVICE


def test_builds_are_told_apart_by_the_digest_of_their_boot_config() -> None:
    fails(installing(make_image()))
    assert Install.objects.get().config_digest == config_digest(BUILD)
    assert config_digest(BUILD) != config_digest("{}")
