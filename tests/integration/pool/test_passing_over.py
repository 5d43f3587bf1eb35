"""One row that is locked or broken, or whose device a rival has taken, holds up nobody who stands behind it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.pulse import parking
from mozpool_site.pulse.models import Parked
from mozpool_site.statemachine.machine import Event
from requests_app import serving
from requests_app.models import Request
from requests_app.pulse import Matching
from requests_app.serving import match_device, match_waiting
from tests.factories import file_order, make_device, make_devices, make_image, make_request
from tests.integration.threads import locked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mariadb() -> None:
    if connection.vendor != "mysql":
        pytest.skip("SQLite locks its whole file, and no rows")


def state(request: Request) -> str:
    return Request.objects.get(pk=request.pk).state


@pytest.mark.usefixtures("mariadb")
def test_a_request_that_somebody_has_locked_is_passed_over_and_served_later() -> None:
    image = make_image()
    first, second = make_request(image), make_request(image)
    device = make_device(image=image)
    with locked(Request.objects.filter(pk=first.pk)):
        assert match_device(device.pk)
        assert state(second) == "pending"
        make_device(image=image)
        assert match_waiting() == 0
    assert match_waiting() == 1
    assert state(first) == "pending"


@pytest.mark.usefixtures("mariadb")
def test_a_free_device_that_somebody_has_locked_is_left_for_one_that_nobody_has() -> None:
    image = make_image()
    best, other = make_device(image=image), make_device()
    with locked(Device.objects.filter(pk=best.pk)):
        assert file_order(image).state == "pending"
        assert file_order(image).state == "finding_device"
    assert Device.objects.get(pk=other.pk).held_by is not None
    assert match_waiting() == 1
    assert Device.objects.get(pk=best.pk).held_by is not None


@pytest.mark.parametrize("serve", ["a pass", "a device that came free", "somebody else's call"])
def test_a_request_that_raises_is_passed_over(serve: str) -> None:
    image = make_image()
    broken, second = make_request(image), make_request(image)
    Request.objects.filter(pk=broken.pk).update(counters="no counters")
    device = make_device(image=image)
    if serve == "a pass":
        assert match_waiting() == 1
    elif serve == "a device that came free":
        assert match_device(device.pk)
    else:
        make_device(image=image)
        assert file_order(image).state == "pending"
    assert (state(broken), state(second)) == ("finding_device", "pending")


def test_a_request_that_raises_is_parked_by_the_pulse_and_served_once_it_is_mended() -> None:
    image = make_image()
    broken, second = make_request(image), make_request(image)
    Request.objects.filter(pk=broken.pk).update(counters="no counters")
    make_devices(2)
    passes = Matching()
    passes.look(clock.now())
    assert (state(broken), state(second)) == ("finding_device", "pending")
    (parked,) = Parked.objects.all()
    assert (parked.loop, parked.key, parked.times) == ("matching", str(broken.pk), 1)
    passes.look(clock.now())
    parked.refresh_from_db()
    assert parked.times == 1  # it was not tried again so soon
    Request.objects.filter(pk=broken.pk).update(counters={})
    parking.forget()
    Parked.objects.update(until=clock.now())
    passes.look(clock.now())
    assert state(broken) == "pending"
    assert not Parked.objects.exists()


def test_however_many_requests_are_parked_who_stands_behind_them_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "_PASSED_OVER", 2)
    image = make_image()
    for _ in range(4):
        make_request(image, counters="no counters")
    last = make_request(image)
    make_device()
    passes = Matching()
    for _ in range(3):
        passes.look(clock.now())
    assert state(last) == "pending"


def test_a_device_that_a_rival_has_taken_meanwhile_ends_the_search() -> None:
    image = make_image()
    for number in range(200):
        make_request(image, boot_config=f'{{"build": {number}}}')
    device = make_device(image=image, held_by=7, idle_since=None)
    with CaptureQueriesContext(connection) as asked:
        assert not match_device(device.pk)
    assert len(asked) <= 5


def test_what_one_wants_in_vain_nobody_who_wants_the_same_tries_again() -> None:
    image = make_image()
    staging = [make_request(image, environment="staging", boot_config=f'{{"build": {n}}}') for n in range(50)]
    production = make_request(image, environment="production")
    device = make_device(environment="production")
    with CaptureQueriesContext(connection) as asked:
        assert match_waiting() == 1
    assert Device.objects.get(pk=device.pk).held_by == production.pk
    assert {state(request) for request in staging} == {"finding_device"}
    # One claim, and a look at what is left.
    assert len(asked) <= 30


def test_wishes_take_turns_by_the_first_of_each() -> None:
    """Two wishes for the same devices, their requests filed by turns, are served by turns."""
    image, other = make_image(), make_image("b2g")
    filed = [
        make_request((image, other)[number % 2], boot_config=f'{{"n": {number}}}') for number in range(8)
    ]
    make_devices(5)
    assert match_waiting() == 5
    assert [state(request) for request in filed] == ["pending"] * 5 + ["finding_device"] * 3


def test_a_pass_serves_no_more_than_it_is_told_to() -> None:
    image = make_image()
    filed = [make_request(image) for _ in range(5)]
    make_devices(5)
    assert match_waiting(2) == 2
    assert [state(request) for request in filed] == ["pending"] * 2 + ["finding_device"] * 3


def test_a_pass_serves_who_named_a_device_that_came_free_unseen() -> None:
    image = make_image()
    device = make_device()
    make_request(image, environment="staging")
    named = make_request(image, requested_device=device)
    later = make_request(image)
    assert match_waiting() == 1
    assert (Device.objects.get(pk=device.pk).held_by, state(later)) == (named.pk, "finding_device")


def test_a_new_request_is_served_at_once_although_others_wait_for_what_it_does_not_want() -> None:
    image = make_image()
    make_request(image, tags=["gpu"])
    make_device(tags=["usb"])
    assert file_order(image, tags=["usb"]).state == "pending"


def test_those_who_name_a_device_in_vain_keep_nobody_from_a_pass_however_many_they_are() -> None:
    image = make_image()
    aside = make_device(image=image, quarantine_by="ada", health="bad")
    for _ in range(3):
        make_request(image, requested_device=aside)
    request = make_request(image)
    make_device(image=image)
    assert match_waiting(2) == 1
    assert state(request) == "pending"


def test_of_those_who_name_one_device_whom_it_does_not_fit_no_one_stands_in_the_way_of_the_next() -> None:
    image = make_image()
    device = make_device(image=image, environment="staging")
    unfit = make_request(image, requested_device=device, environment="production")
    fitting = [make_request(image, requested_device=device) for _ in range(3)]
    assert match_waiting(3) == 1
    assert [state(one) for one in (unfit, *fitting)] == ["finding_device", "pending", *["finding_device"] * 2]


def test_requests_of_one_moment_are_served_one_after_the_other() -> None:
    image, other = make_image(), make_image("b2g")
    moment = clock.now()
    filed = [
        make_request(image if number % 2 else other, turn=moment, environment=environment)
        for number in range(4)
        for environment in ("any", "production")
    ]
    make_devices(8, environment="production")
    assert match_waiting() == 8
    assert {state(request) for request in filed} == {"pending"}


def test_a_device_that_several_name_and_nobody_was_told_of_is_given_to_the_first_alone() -> None:
    image = make_image()
    device = make_device(image=image)
    named = [make_request(image, requested_device=device) for _ in range(3)]
    assert match_waiting() == 1
    assert [state(request) for request in named] == ["pending", "finding_device", "finding_device"]


def test_one_who_cannot_be_told_that_the_named_device_failed_keeps_no_other_from_hearing_of_it() -> None:
    image = make_image()
    device = make_device(state="self_test_running", idle_since=None)
    broken, second = (make_request(image, requested_device=device) for _ in range(2))
    Request.objects.filter(pk=broken.pk).update(counters="no counters")
    device_runner.deliver(device.pk, Event("failed_self_test"))
    assert (state(broken), state(second)) == ("finding_device", "failed_bad_device")


@pytest.mark.usefixtures("mariadb")
def test_one_who_is_locked_while_the_named_device_fails_is_not_waited_for() -> None:
    image = make_image()
    device = make_device(state="self_test_running", idle_since=None)
    first, second = (make_request(image, requested_device=device) for _ in range(2))
    with locked(Request.objects.filter(pk=first.pk)):
        device_runner.deliver(device.pk, Event("failed_self_test"))
        assert (state(first), state(second)) == ("finding_device", "failed_bad_device")
