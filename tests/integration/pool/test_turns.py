"""Who gets a device when it comes free: the most urgent, then the oldest, that it fits."""

from datetime import timedelta

import pytest

from devices.models import Device, Rack
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from requests_app.free_devices import outages
from requests_app.models import Request
from requests_app.services import return_request
from requests_app.serving import match_device, match_waiting
from tests.factories import file_order, make_device, make_devices, make_image, make_rack, make_request
from tests.factories.requests import CLIENT

pytestmark = pytest.mark.django_db(transaction=True)


def holder(device: Device) -> int | None:
    """Give the request that holds a device now."""
    return Device.objects.get(pk=device.pk).held_by


def test_the_more_urgent_goes_before_the_older_and_the_older_before_the_younger() -> None:
    image = make_image()
    requests = [file_order(image, priority=priority) for priority in (0, 0, 5)]
    served = []
    for _ in requests:
        device = make_device(image=image)
        match_device(device.pk)
        served.append(holder(device))
    assert served == [requests[2].pk, requests[0].pk, requests[1].pk]


def test_a_request_that_comes_while_others_wait_does_not_overtake_them() -> None:
    image = make_image()
    first = make_request(image)
    device = make_device(image=image)
    second = file_order(image)
    assert holder(device) == first.pk
    assert second.state == "finding_device"


def test_a_request_that_waits_for_something_else_holds_nobody_up() -> None:
    image = make_image()
    make_request(image, environment="staging")
    make_request(image, requested_device=make_device(state="troubleshooting", deadline=None))
    device = make_device(image=image)
    request = file_order(image, environment="production")
    assert holder(device) == request.pk


def test_a_device_that_comes_free_goes_to_the_first_that_it_fits() -> None:
    image = make_image()
    make_request(image, environment="staging")
    fitting = make_request(image, environment="production")
    device = make_device(image=image, environment="production")
    assert match_device(device.pk)
    assert holder(device) == fitting.pk


def test_a_device_with_the_image_is_preferred_and_only_power_cycled() -> None:
    image = make_image()
    make_devices(3, idle_since=clock.now() - timedelta(hours=1))
    reusable = make_device(image=image)
    request = file_order(image)
    assert holder(reusable) == request.pk
    assert Device.objects.get(pk=reusable.pk).state == "pc_power_cycling"


def test_an_image_that_may_not_be_reused_is_installed_even_where_it_is() -> None:
    image = make_image(reusable=False)
    device = make_device(image=image)
    file_order(image)
    assert Device.objects.get(pk=device.pk).state == "pxe_power_cycling"


def test_a_request_for_a_named_device_gets_that_one_and_no_other() -> None:
    image = make_image()
    make_devices(3, image=image)
    named = make_device()
    request = file_order(image, device=named)
    assert holder(named) == request.pk


def test_a_request_for_a_device_that_is_out_of_the_pool_fails_at_once() -> None:
    broken = make_device(state="failed_pxe_booting", deadline=None)
    assert file_order(make_image(), device=broken).state == "failed_bad_device"


def test_the_next_in_turn_is_served_in_the_breath_in_which_a_device_is_returned() -> None:
    image = make_image()
    device = make_device(image=image)
    first = file_order(image)
    device_runner.deliver(device.pk, Event("power_cycle_ok"))
    device_runner.deliver(device.pk, Event("verify_port_ok"))
    second = file_order(image)
    assert second.state == "finding_device"
    assert Request.objects.get(pk=first.pk).state == "ready"
    return_request(first.pk, by=CLIENT)
    assert (holder(device), Request.objects.get(pk=second.pk).state) == (second.pk, "pending")


def test_a_device_that_is_returned_while_it_is_still_being_prepared_is_offered_when_it_is_ready() -> None:
    image = make_image()
    device = make_device(image=image)
    return_request(file_order(image).pk, by=CLIENT)
    second = file_order(image)
    assert (holder(device), second.state) == (None, "finding_device")
    device_runner.deliver(device.pk, Event("power_cycle_ok"))
    device_runner.deliver(device.pk, Event("verify_port_ok"))
    assert (holder(device), Request.objects.get(pk=second.pk).state) == (second.pk, "pending")


def test_devices_of_a_rack_whose_pulse_has_stopped_are_offered_to_nobody() -> None:
    image = make_image()
    stopped = make_rack("p9")
    device = make_device(image=image, rack=stopped)
    Rack.objects.filter(pk=stopped.pk).update(pulse_seen=clock.now() - timedelta(seconds=31))
    assert file_order(image).state == "finding_device"
    assert not match_device(device.pk)
    assert match_waiting() == 0
    Rack.objects.filter(pk=stopped.pk).update(pulse_seen=clock.now())
    outages.forget()
    assert match_waiting() == 1
