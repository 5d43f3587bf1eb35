"""The home page: the three layers counted, who waits and why, what failed in the last day, racks as small maps."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bmm.models import HandTask, Operation
from devices.models import Device
from lifeguard.models import Install
from lifeguard.services import force_state
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from pages.families import FAILED, FREE
from pages.home import glance as glancing
from pages.home.glance import at_a_glance, shares
from pages.home.shapes import Share
from pages.shell import changes
from requests_app.models import Request
from requests_app.snapshot import stock
from requests_app.waiting.queue import queue
from tests.factories import make_controller, make_device, make_devices, make_image, make_rack, make_request
from tests.integration.pages.conftest import Person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    stock.forget()
    queue.forget()


def test_an_empty_pool_says_so_in_friendly_words(someone: Person) -> None:
    text = someone().get("/").content.decode()
    for words in ("Nobody waits", "No device failed", "No racks yet", "Nothing waits for a person"):
        assert words in text
    assert "Request a device" not in text
    assert "Request a device" in someone("requester").get("/").content.decode()


def test_each_layer_counts_what_it_has() -> None:
    image, now = make_image(), clock.now()
    make_devices(3)
    make_devices(2, state="failed_self_test", idle_since=None)
    make_request(image, state="ready", device=make_device())
    make_request(image, state="pending", device=make_device(state="downloading", idle_since=None))
    make_request(image, created=now - timedelta(minutes=9))
    controller = make_controller(suspect_until=now + timedelta(minutes=5))
    make_controller(last_error="no answer", last_error_at=now)
    device = make_device(power_controller=controller, outlet="bank1:relay1", state="new", idle_since=None)
    Operation.objects.create(
        device=device, rack=device.rack, kind="ping", created=now, not_before=now - timedelta(seconds=40)
    )
    HandTask.objects.create(
        device=device, controller=controller, outlet="1", kind="power_cycle", asked_at=now, open_for=device.pk
    )
    seen = at_a_glance()
    assert [(one.family.name, one.number) for one in seen.requests.open] == [
        ("waiting", 1), ("preparing", 1), ("ready", 1),
    ]  # fmt: skip
    assert seen.requests.longest == now - timedelta(minutes=9)
    assert {one.family.name: one.number for one in seen.devices.shares if one.number} == {
        "free": 3, "held": 1, "busy": 1, "new": 1, "failed": 2,
    }  # fmt: skip
    hardware = seen.hardware
    assert (hardware.queued, hardware.running, hardware.due) == (1, 0, now - timedelta(seconds=40))
    assert (hardware.controllers, hardware.suspect, hardware.silent, hardware.hand_tasks) == (2, 1, 1, 1)


def test_who_waits_longest_comes_first_with_the_reason(someone: Person) -> None:
    image, now = make_image(), clock.now()
    device = make_device()
    make_request(image, state="ready", device=device)
    waiting = [
        make_request(image, created=now - timedelta(minutes=ago), assignee=f"<i>ci-{ago}</i>")
        for ago in (5, 50)
    ]
    text = someone().get("/").content.decode()
    assert text.index(f'href="/requests/{waiting[1].pk}/"') < text.index(f'href="/requests/{waiting[0].pk}/"')
    assert "&lt;i&gt;ci-50&lt;/i&gt;" in text
    assert "1 device fits: 1 in use; 1 request comes first" in text
    assert ">50 min ago</time>" in text


def test_no_part_of_the_page_is_older_than_another(someone: Person) -> None:
    image, viewer = make_image(), someone()
    make_device(state="failed_self_test", idle_since=None)
    assert "<strong>Nobody waits</strong>" in viewer.get("/").content.decode()
    waiting = make_request(image)
    make_device(state="failed_self_test", idle_since=None)
    changes.forget()
    glancing.glance.forget()
    page = viewer.get("/")
    seen, text = page.context["glance"], page.content.decode()
    assert {share.family.name: share.number for share in seen.requests.open if share.number} == {"waiting": 1}
    assert [one.number for one in seen.requests.waiting] == [waiting.pk]
    assert "Nobody waits" not in text
    failed = {share.family.name: share.number for share in seen.devices.shares}["failed"]
    assert failed == len(seen.devices.broke) == [cell.family.name for cell in seen.cells].count("failed") == 2
    assert seen.day.filed == 1


def test_what_failed_in_the_last_day_is_listed_and_what_failed_before_is_not(someone: Person) -> None:
    now, image = clock.now(), make_image()
    lately = make_device(state="failed_extracting", state_since=now - timedelta(hours=3), idle_since=None)
    before = make_device(state="failed_extracting", state_since=now - timedelta(hours=30), idle_since=None)
    make_request(image, state="failed_bad_device", ended=now - timedelta(hours=1))
    make_request(
        image, state="failed_bad_image", ended=now - timedelta(hours=40), created=now - timedelta(hours=50)
    )
    for succeeded, hours in ((False, 2), (True, 3), (False, 30)):
        Install.objects.create(
            device=lately, image=image, config_digest="", succeeded=succeeded, healthy_before=True,
            finished=now - timedelta(hours=hours),
        )  # fmt: skip
    text = someone().get("/").content.decode()
    assert f'href="/devices/{lately.name}/"' in text
    assert f'href="/devices/{before.name}/"' not in text
    day = at_a_glance().day
    assert (day.filed, day.gave_up, day.gave_up_total) == (1, (("failed_bad_device", 1),), 1)
    assert (day.installs, day.failed_installs, day.images) == (2, 1, (("android", 1),))


def test_the_smallest_share_of_a_bar_is_still_seen() -> None:
    free, failed = shares([FREE, FAILED], {"free": 9999, "failed": 1}, {})
    assert free == Share(FREE, 9999, "/devices/?family=free", 0, 1000)
    assert (failed.x, failed.width) == (1000, 4)


def test_an_open_home_page_is_told_of_devices_and_of_its_cards_when_they_change(someone: Person) -> None:
    make_device()
    viewer = someone()
    page = viewer.get("/")
    before = page.context["live_version"]
    assert f'data-live-version="{before}"' in page.content.decode()
    live = f"/live/home/?racks={Device.objects.get().rack.name}"
    assert f'data-live-devices="{live}"' in page.content.decode()
    assert viewer.get(live, headers={"If-None-Match": f'"{before}"'}).status_code == 304
    force_state(Device.objects.get().pk, "ready", "failed_self_test", by=Actor("olga", "user"))
    changes.forget()
    glancing.forget()
    told = viewer.get(live, headers={"If-None-Match": f'"{before}"'}).json()
    assert [one["family"] for one in told["devices"].values()] == ["failed"]
    assert "failed self test" in told["parts"]["glance"]


def test_the_home_page_costs_the_same_few_queries_however_large_the_pool(someone: Person) -> None:
    viewer = someone("operator")
    counts = []
    for number in (1, 300):
        for rack in range(2):
            make_devices(number, rack=make_rack(f"p{number}-{rack}"))
        image = make_image(f"image-{number}")
        for _ in range(10):
            make_request(image)
        make_devices(5, state="failed_self_test", idle_since=None)
        for memory in (changes, stock, queue, glancing):
            memory.forget()
        with CaptureQueriesContext(connection) as asked:
            assert viewer.get("/").status_code == 200
        counts.append(len(asked))
    assert Request.objects.count() == 20
    assert counts[1] <= counts[0] <= 21


def test_a_silent_rack_is_marked_on_its_map(someone: Person) -> None:
    make_device(rack=make_rack("p7", pulse_seen=clock.now() - timedelta(minutes=7)))
    text = someone().get("/").content.decode()
    assert 'aria-label="Rack p7: 1 free"' in text
    assert "pulse silent" in text
