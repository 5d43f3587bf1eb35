"""How requests end: returned, expired, renewed in time, or both at the same moment."""

from datetime import timedelta

import pytest

from devices.models import Device
from devices.models.device import Result
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.errors import ConflictError, UnknownNameError
from mozpool_site.statemachine.machine import Event
from requests_app.invariants import findings
from requests_app.machine import request_runner
from requests_app.models import PoolLease, Request
from requests_app.pulse import LEASE
from requests_app.services import renew, return_request
from tests.beats import pool_beats
from tests.factories import file_order, make_device, make_devices, make_image, make_request
from tests.factories.requests import CLIENT
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def beat() -> None:
    """Let whoever looks after the pool look once, as if for the first time."""
    pool_beats().beat(clock.now())


def state(request: Request) -> str:
    """Give the state that a request is in now."""
    return Request.objects.get(pk=request.pk).state


def expired(request: Request) -> None:
    """Let the time of a request be over."""
    Request.objects.filter(pk=request.pk).update(expires=clock.now() - timedelta(seconds=1))


@pytest.mark.parametrize("where", ["finding_device", "pending", "ready"])
def test_a_request_whose_time_is_over_is_closed_wherever_it_is_and_its_device_is_free(where: str) -> None:
    image = make_image()
    device = None if where == "finding_device" else make_device(image=image)
    request = make_request(image, state=where, device=device)
    expired(request)
    beat()
    assert state(request) == "closed"
    assert not Device.objects.filter(held_by__isnull=False).exists()
    assert findings(settle=0) == []


def test_a_renewed_request_lives_on_and_the_seconds_count_from_now() -> None:
    image = make_image()
    request = make_request(image, state="ready", device=make_device(image=image))
    renew(request.pk, 1800, by=CLIENT)
    left = Request.objects.get(pk=request.pk).expires - clock.now()
    assert left.total_seconds() == pytest.approx(1800, abs=5)
    beat()
    assert state(request) == "ready"


def test_a_request_that_has_ended_cannot_be_renewed_and_a_return_of_it_changes_nothing() -> None:
    request = file_order(make_image())
    return_request(request.pk, by=CLIENT)
    seq = Request.objects.get(pk=request.pk).state_seq
    with pytest.raises(ConflictError, match="has ended: it is closed"):
        renew(request.pk, 60, by=CLIENT)
    return_request(request.pk, by=CLIENT)
    assert Request.objects.get(pk=request.pk).state_seq == seq
    with pytest.raises(UnknownNameError, match="there is no request 999999"):
        return_request(999999, by=CLIENT)


def test_return_expiry_renewal_and_the_devices_own_progress_at_the_same_moment_leave_no_contradiction() -> (
    None
):
    image = make_image()
    devices = make_devices(12, image=image)
    requests = [file_order(image) for _ in devices]
    for request in requests:
        expired(request)

    def renews(number: int) -> None:
        try:
            renew(number, 600, by=CLIENT)
        except ConflictError:
            return  # it had ended already

    def one_of_four(kind: int) -> None:
        for request, device in zip(requests, devices, strict=True):
            match kind:
                case 0:
                    return_request(request.pk, by=CLIENT)
                case 1:
                    request_runner.deliver(request.pk, Event("expire"))
                case 2:
                    renews(request.pk)
                case _:
                    for event in ("power_cycle_ok", "verify_port_ok"):
                        device_runner.deliver(device.pk, Event(event))

    in_threads(4, one_of_four)
    assert {state(request) for request in requests} == {"closed"}
    assert Device.objects.filter(state="ready", held_by=None).count() == 12
    assert findings(settle=0) == []


def test_two_pulses_at_once_expire_each_request_once() -> None:
    image = make_image()
    devices = make_devices(10, image=image)
    requests = [make_request(image, state="ready", device=device, state_seq=5) for device in devices]
    for request in requests:
        expired(request)
    in_threads(4, lambda _: beat())
    assert [Request.objects.get(pk=request.pk).state_seq for request in requests] == [6] * 10


def test_one_pulse_holds_the_pool_and_another_takes_over_when_its_lease_ends() -> None:
    now = clock.now()
    beat()
    lease = PoolLease.objects.get(name="pool")
    assert lease.until is not None
    assert lease.until - now <= LEASE + timedelta(seconds=1)
    mine = lease.owner
    PoolLease.objects.update(owner="a pulse that was killed")
    request = make_request(make_image())
    expired(request)
    beat()
    assert (PoolLease.objects.get(name="pool").owner, state(request)) == (
        "a pulse that was killed",
        "finding_device",
    )
    PoolLease.objects.update(until=clock.now() - timedelta(seconds=1))
    beat()
    assert (PoolLease.objects.get(name="pool").owner, state(request)) == (mine, "closed")


def test_of_many_pulses_that_find_no_lease_one_makes_it() -> None:
    in_threads(6, lambda _: beat())
    assert set(PoolLease.objects.values_list("name", flat=True)) == {"pool", "chores"}


def test_a_result_whose_signal_was_lost_reaches_its_request_by_the_pulse() -> None:
    image = make_image()
    request = make_request(image, state="pending", device=make_device(image=image), task_seq=1)
    Device.objects.update(task_seq=1, result=Result.COMPLETE)
    beat()
    assert state(request) == "ready"


def test_a_request_whose_device_left_ready_unheard_is_pending_again_by_the_pulse() -> None:
    image = make_image()
    request = make_request(image, state="ready", device=make_device(image=image))
    Device.objects.update(state="pc_power_cycling")
    beat()
    assert state(request) == "pending"


def test_a_waiting_request_gives_up_after_its_patience_and_says_so() -> None:
    request = make_request(make_image(), deadline=clock.now())
    beat()
    assert state(request) == "failed_device_not_found"


def test_a_bad_device_is_exchanged_for_another_one_and_the_bad_one_is_let_go() -> None:
    image = make_image()
    bad, good = make_devices(2, image=image)
    Device.objects.filter(pk=good.pk).update(held_by=1_000_000, idle_since=None)
    request = file_order(image)
    Device.objects.filter(pk=good.pk).update(held_by=None, idle_since=clock.now())
    Device.objects.filter(pk=bad.pk).update(
        state="sut_verify_power_cycle", counters={"sut_verify_power_cycle": 3}
    )
    device_runner.deliver(bad.pk, Event("misconfigured"))
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.held_by, good.held_by) == (None, request.pk)
    assert bad.result == Result.BAD_DEVICE
    assert state(request) == "pending"
