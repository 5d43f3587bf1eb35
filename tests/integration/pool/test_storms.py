"""Many clients at the same moment: no device is given twice, no error surfaces, nobody is forgotten."""

from collections import Counter

import pytest
from django.db import connection
from django.db.models import F

from bmm.models import Operation
from devices.models import Device
from devices.models.image import Verification
from mozpool_site.errors import ConflictError
from requests_app.invariants import findings
from requests_app.models import Request
from requests_app.services import return_request
from requests_app.serving import match_waiting
from tests.factories import file_order, make_device, make_devices, make_image, make_request
from tests.factories.requests import CLIENT
from tests.integration.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 16
DEVICES = 100


def each() -> int:
    """Give how many requests each client files: MariaDB is the one that must stand the storm."""
    return 25 if connection.vendor == "mysql" else 10


def holders() -> dict[int, int]:
    """Give the device of each request that holds one; fails when a request holds two."""
    held = Device.objects.filter(held_by__isnull=False).values_list("held_by", "pk")
    counted = Counter(request for request, _ in held)
    assert [request for request, number in counted.items() if number > 1] == []
    return {int(request): device for request, device in held if request is not None}


def test_four_hundred_requests_at_once_on_a_hundred_devices() -> None:
    images = [
        make_image("b2g", boot_config_keys=["b2gbase"], verification=Verification.AGENT),
        make_image("android"),
        make_image("linux", reusable=False),
    ]
    for number, image in enumerate(images):
        make_devices(DEVICES // 4, image=image, environment=("production", "staging")[number % 2])
    make_devices(DEVICES - 3 * (DEVICES // 4))

    def files(client: int) -> list[int]:
        numbers = []
        for index in range(each()):
            image = images[(client + index) % len(images)]
            boot_config = {"b2gbase": "http://images.example/1/"} if image.boot_config_keys else {}
            environment = ("any", "any", "production")[(client + index) % 3]
            numbers.append(file_order(image, boot_config=boot_config, environment=environment).pk)
        return numbers

    filed = [number for numbers in in_threads(THREADS, files) for number in numbers]
    assert len(set(filed)) == THREADS * each()
    states = Counter(Request.objects.values_list("state", flat=True))
    assert set(states) == {"pending", "finding_device"}
    # Nobody waits while a device is free that would fit; all fit any.
    assert states["pending"] == DEVICES
    assert sorted(holders()) == sorted(Request.objects.filter(state="pending").values_list("pk", flat=True))
    assert Operation.objects.count() == DEVICES
    assert findings(settle=0) == []


def test_whoever_files_while_devices_are_free_is_told_of_one_however_many_file_at_once() -> None:
    image = make_image()
    make_devices(THREADS * each() + THREADS)
    # As in a pool of which much is busy, so that the database may think it cheapest to sort all that is free.
    make_devices(THREADS * each(), state="pxe_booting")

    def told(_: int) -> list[str]:
        return [file_order(image).state for _ in range(each())]

    assert [state for states in in_threads(THREADS, told) for state in states] == [
        "pending"
    ] * THREADS * each()
    first_try = Request.objects.filter(matched_at=F("created")).count()
    assert first_try == THREADS * each()


def test_a_storm_of_returns_serves_those_who_wait_and_leaves_no_device_idle() -> None:
    image = make_image()
    make_devices(40, image=image)
    held = [file_order(image).pk for _ in range(40)]
    waiting = [file_order(image).pk for _ in range(40)]
    assert Request.objects.filter(pk__in=waiting, state="finding_device").count() == 40
    # Their devices are done, so that they can be given on at once.
    Operation.objects.all().delete()
    Device.objects.update(state="ready", result="complete")
    Request.objects.filter(pk__in=held).update(state="ready", deadline=None)

    def gives_back(client: int) -> None:
        for number in held[client::8]:
            return_request(number, by=CLIENT)

    in_threads(8, gives_back)
    assert Request.objects.filter(pk__in=held, state="closed").count() == 40
    assert Request.objects.filter(pk__in=waiting, state="pending").count() == 40
    assert sorted(holders()) == waiting
    assert Device.objects.exclude(idle_since=None).count() == 0
    assert findings(settle=0) == []


def test_of_many_who_ask_for_the_same_device_one_gets_it_and_the_others_are_told_at_once() -> None:
    image = make_image()
    device = make_device(image=image)
    requests = in_threads(12, lambda _: file_order(image, device=device, max_wait=0))
    states = Counter(Request.objects.values_list("state", flat=True))
    assert states == {"pending": 1, "failed_device_busy": 11}
    assert {request.state for request in requests} == {"pending", "failed_device_busy"}
    assert findings(settle=0) == []


def test_clients_who_match_by_hand_at_once_give_no_device_twice() -> None:
    image = make_image()
    for _ in range(30):
        make_request(image)
    make_devices(20, image=image)
    in_threads(6, lambda _: match_waiting())
    assert len(holders()) == 20
    assert Request.objects.filter(state="pending").count() == 20
    # The oldest first: the ten youngest still wait.
    oldest = list(Request.objects.order_by("pk").values_list("pk", flat=True)[:20])
    assert sorted(holders()) == oldest


def test_the_same_request_returned_by_many_at_once_is_returned_once() -> None:
    image = make_image()
    make_device(image=image)
    request = file_order(image)
    in_threads(8, lambda _: return_request(request.pk, by=CLIENT))
    request.refresh_from_db()
    assert (request.state, request.state_seq) == ("closed", request.state_seq)
    assert holders() == {}
    assert findings(settle=0) == []


def test_filing_and_returning_in_a_hurry_leaves_the_pool_as_it_was() -> None:
    image = make_image()
    make_devices(10, image=image)

    def comes_and_goes(client: int) -> None:
        for _ in range(4):
            try:
                return_request(file_order(image).pk, by=CLIENT)
            except ConflictError as error:
                pytest.fail(f"client {client}: {error}")

    in_threads(THREADS, comes_and_goes)
    assert set(Request.objects.values_list("state", flat=True)) == {"closed"}
    assert holders() == {}
    assert findings(settle=0) == []
