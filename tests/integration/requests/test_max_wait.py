"""Stories of how long a request waits for a device, and of when the time that its owner has it begins and ends."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.test import Client

from devices.models import Device, Journal
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import MACHINE
from requests_app.invariants import findings
from requests_app.machine import request_runner
from requests_app.models import Request
from requests_app.pulse import Expiry
from requests_app.services import renew
from tests.beats import pool_beats
from tests.factories import file_order, make_device, make_devices, make_image, make_request
from tests.factories.requests import CLIENT
from tests.integration.requests.test_filing import filed, post, refused

pytestmark = pytest.mark.django_db(transaction=True)
DAY = 24 * 3600
MOMENTS = ("created", "state_since", "deadline", "waits_until", "expires", "matched_at", "ready_at")


def passes(request: Request, seconds: float) -> Request:
    """Let the time of a request go on, as if all that was noted of it had been so much earlier."""
    past = timedelta(seconds=seconds)
    Request.objects.filter(pk=request.pk).update(**{name: F(name) - past for name in MOMENTS})
    return now(request)


def now(request: Request) -> Request:
    return Request.objects.get(pk=request.pk)


def beat() -> None:
    pool_beats().beat(clock.now())


def seconds(moment: Any) -> int:
    """Give the seconds until a moment, to the nearest ten."""
    return round((moment - clock.now()).total_seconds(), -1)  # type: ignore[no-any-return]


def seen(client: Client, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/v2/requests/{request.pk}/").json()
    return found


def taken() -> Device:
    """Make the only device there is, and let somebody have it."""
    device = make_device(image=make_image())
    file_order(make_image("other"), device=device)
    return device


def ready(request: Request) -> Request:
    """Let the device that a request holds come to the image that was asked for."""
    Device.objects.filter(held_by=request.pk).update(
        state="ready", image=request.image_id, boot_config=request.boot_config
    )
    request_runner.deliver(request.pk, Event("device_settled"))
    return now(request)


def test_a_request_waits_as_long_as_its_owner_says_and_fails_then_and_says_until_when(alice: Client) -> None:
    taken()
    told = filed(alice, max_wait=7200)
    request = Request.objects.get(pk=told["id"])
    assert (told["state"], told["waits_until"]) == ("finding_device", seen(alice, request)["waits_until"])
    assert seconds(request.waits_until) == 7200
    passes(request, 7190)
    beat()
    assert now(request).state == "finding_device"
    passes(request, 20)
    beat()
    assert (now(request).state, seen(alice, request)["waits_until"]) == ("failed_device_not_found", None)
    assert findings(settle=0) == []


def test_a_request_waits_a_day_unless_its_owner_says_otherwise(alice: Client) -> None:
    taken()
    filed(alice)
    assert seconds(Request.objects.latest("pk").waits_until) == DAY


def test_the_waiting_is_one_timer_and_writes_no_line_until_its_end(alice: Client) -> None:
    taken()
    filed(alice, max_wait=3600)
    request = Request.objects.latest("pk")
    for _ in range(20):
        passes(request, 60)
        beat()
    assert (now(request).state_seq, now(request).deadline) == (request.state_seq, now(request).waits_until)
    lines = Journal.objects.filter(request_id=request.pk)
    assert [line.message for line in lines] == ["entering state finding_device"]


@pytest.mark.parametrize("wait", [-1, 7 * DAY + 1, 1.5, "soon", None, True, [60], "1e3", 10**30])
def test_a_wait_that_is_none_is_refused_by_name(alice: Client, wait: object) -> None:
    make_device(image=make_image())
    told = refused(alice, 400, max_wait=wait)
    assert told["field"] == "max_wait"


def test_now_or_never_gives_a_device_that_is_free(alice: Client) -> None:
    make_device(image=make_image())
    assert filed(alice, max_wait=0)["state"] == "pending"


def test_now_or_never_fails_at_once_where_nothing_is_free_and_the_same_call_again_is_told_the_same(
    alice: Client,
) -> None:
    taken()
    body = {"image": "android", "max_wait": 0}
    for answer in (post(alice, body, "a key"), post(alice, body, "a key")):
        told = answer.json()
        assert (answer.status_code, told["code"], told["field"]) == (409, "conflict", "max_wait")
        assert told["request"]["state"] == "failed_device_not_found"
        assert told["detail"] == f"no device that fits is free; request {told['request']['id']} has failed"
    assert Request.objects.filter(owner="alice").count() == 1


def test_now_or_never_gets_a_device_that_whoever_is_first_in_line_can_not_use(alice: Client) -> None:
    image = make_image()
    make_device(image=image, environment="production")
    make_request(image, environment="staging")
    assert filed(alice, max_wait=0)["state"] == "pending"


def test_a_named_device_that_is_taken_is_waited_for(alice: Client) -> None:
    device = make_device(image=make_image())
    first = filed(alice, device=device.name)
    second = filed(alice, device=device.name, max_wait=3600)
    assert (second["state"], second["waiting"]["place"]) == ("finding_device", 1)
    post(alice, {}, path=f"/api/v2/requests/{first['id']}/return/")
    Device.objects.update(state="ready", idle_since=clock.now())
    beat()
    assert Device.objects.get().held_by == second["id"]


def test_a_named_device_that_is_taken_is_refused_to_who_does_not_wait(alice: Client) -> None:
    device = make_device(image=make_image())
    filed(alice, device=device.name)
    answer = post(alice, {"image": "android", "device": device.name, "max_wait": 0})
    told = answer.json()
    assert (answer.status_code, told["field"], told["request"]["state"]) == (
        409,
        "device",
        "failed_device_busy",
    )


def test_a_named_device_that_does_not_come_free_in_time_was_busy(alice: Client) -> None:
    device = taken()
    filed(alice, device=device.name, max_wait=60)
    request = Request.objects.latest("pk")
    passes(request, 61)
    beat()
    assert now(request).state == "failed_device_busy"


@pytest.mark.parametrize("heard", [True, False])
def test_who_waits_for_a_device_is_told_when_it_leaves_the_pool(alice: Client, heard: bool) -> None:
    device = make_device(image=make_image(), state="pxe_booting")
    filed(alice, device=device.name)
    if heard:
        with transaction.atomic():
            row, moment = device_runner.lock(device.pk)
            device_runner.force(row, "failed_pxe_booting", moment, by=MACHINE)
    else:
        Device.objects.update(state="failed_pxe_booting")
        beat()
    assert Request.objects.latest("pk").state == "failed_bad_device"


def test_the_time_with_a_device_that_fails_is_no_waiting() -> None:
    image = make_image()
    device = make_device(image=image)
    request = file_order(image, max_wait=600)
    passes(request, 1200)
    Device.objects.filter(pk=device.pk).update(
        state="failed_pxe_booting", result="failed-bad-device", task_seq=request.task_seq
    )
    request_runner.deliver(request.pk, Event("device_settled"))
    assert (now(request).state, seconds(now(request).waits_until)) == ("finding_device", 600)
    assert now(request).deadline == now(request).waits_until


def test_who_waits_not_at_all_still_gets_another_device_when_the_first_one_fails_and_one_is_free() -> None:
    image = make_image()
    bad, good = make_devices(2, image=image)
    Device.objects.filter(pk=good.pk).update(held_by=1_000_000, idle_since=None)
    request = file_order(image, max_wait=0)
    Device.objects.filter(pk=good.pk).update(held_by=None, idle_since=clock.now())
    Device.objects.filter(pk=bad.pk).update(state="failed_pxe_booting")
    request_runner.deliver(request.pk, Event("device_settled"))
    beat()
    assert Device.objects.get(pk=good.pk).held_by == request.pk


def test_the_time_of_a_request_begins_when_it_is_ready(alice: Client) -> None:
    make_device(image=make_image())
    told = filed(alice, duration=1800)
    assert (told["expires"], told["duration"], told["seconds_left"]) == (None, 1800, 1800)
    request = passes(Request.objects.latest("pk"), 60)
    beat()
    assert seen(alice, request)["seconds_left"] == 1800
    request = ready(request)
    assert (request.state, seconds(request.expires)) == ("ready", 1800)
    assert seen(alice, request)["expires"] is not None
    passes(request, 1790)
    beat()
    assert now(request).state == "ready"
    passes(request, 20)
    beat()
    assert now(request).state == "closed"


def test_a_request_that_is_prepared_once_more_keeps_its_end() -> None:
    image = make_image()
    make_device(image=image)
    request = ready(file_order(image, duration=1800))
    end = request.expires
    request_runner.deliver(request.pk, Event("device_left"))
    assert (now(request).state, now(request).expires) == ("pending", end)
    assert (ready(request).state, now(request).expires) == ("ready", end)


def test_a_renewal_before_the_time_begins_says_how_long_it_will_be(alice: Client) -> None:
    make_device(image=make_image())
    request = Request.objects.get(pk=filed(alice, duration=1800)["id"])
    answer = post(alice, {"duration": 7200}, path=f"/api/v2/requests/{request.pk}/renew/")
    assert (answer.json()["expires"], answer.json()["seconds_left"]) == (None, 7200)
    assert seconds(ready(request).expires) == 7200


def test_a_renewal_of_a_ready_request_counts_from_now() -> None:
    image = make_image()
    make_device(image=image)
    request = ready(file_order(image, duration=1800))
    passes(request, 1000)
    renew(request.pk, 600, by=CLIENT)
    assert seconds(now(request).expires) == 600


def test_a_request_that_never_gets_ready_is_given_up_long_before_the_bound_of_its_life() -> None:
    image = make_image()
    device = make_device(image=image)
    request = file_order(image, device=device, duration=600, max_wait=3600)
    assert request.deadline is not None
    assert request.expires - request.deadline > timedelta(hours=1)
    passes(request, (request.deadline - clock.now()).total_seconds() + 1)
    beat()
    assert now(request).state == "failed_bad_device"


def test_who_renews_while_the_pulse_is_about_to_end_the_request_keeps_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = ready(file_order(make_image(), device=make_device(image=make_image("other"))))
    passes(request, (now(request).expires - clock.now()).total_seconds() + 1)
    selected = Expiry.within_budget

    def renewed_meanwhile(loop: Expiry, rows: Iterable[Any]) -> Iterator[Any]:
        found = list(rows)
        assert [pk for pk, _ in found] == [request.pk]
        renew(request.pk, 3600, by=CLIENT)
        return selected(loop, found)

    monkeypatch.setattr(Expiry, "within_budget", renewed_meanwhile)
    Expiry().look(clock.now())
    assert (now(request).state, seconds(now(request).expires)) == ("ready", 3600)
    monkeypatch.undo()
    passes(request, 3601)
    Expiry().look(clock.now())
    assert now(request).state == "closed"
