"""Requests in the browser: who sees and does what, how far one has come, filing a new one, and many at once."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from devices import journal
from devices.models import Device, Journal
from lifeguard.states import DEVICE
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from pages import live
from pages.images.catalogue import records
from pages.requests.stages import STEPS, Life, Status, stages
from requests_app.models import Request
from requests_app.services import Order, file_request, renew, return_request
from requests_app.snapshot import stock
from requests_app.waiting.history import history
from requests_app.waiting.queue import queue
from requests_app.webhooks.models import Attempt, Delivery, Webhook
from tests.factories import file_order, make_device, make_devices, make_image, make_request

pytestmark = pytest.mark.django_db
Person = Callable[..., Client]


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Let no test see what the one before found in the pool."""
    for memory in (stock, queue, history, records):
        memory.forget()


@pytest.fixture
def person(db: None) -> Person:
    """Give a maker of people in a browser."""
    # A test that commits empties all tables behind it, and with them what the migration had put there.
    import_module("devices.migrations.0002_roles").create(apps, None)

    def make(name: str, group: str = "requester") -> Client:
        user = User.objects.create(username=name)
        user.groups.add(Group.objects.get_or_create(name=group)[0])
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def alice(person: Person) -> Client:
    return person("alice")


@pytest.fixture
def olga(person: Person) -> Client:
    return person("olga", "operator")


@pytest.fixture
def victor(person: Person) -> Client:
    return person("victor", "viewer")


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content
    return response.content.decode()


def words(html: str) -> str:
    """Give what a person reads."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def numbers(html: str) -> list[int]:
    """Give the requests of a list, from its top."""
    return [int(one) for one in re.findall(r'data-key="request-(\d+)"', html)]


ORDER = {
    "filing": "one",
    "image": "b2g",
    "environment": "any",
    "duration": "3600",
    "key.b2gbase": "http://127.0.0.1/x",
}


def fields(**changes: str) -> dict[str, str]:
    return {**ORDER, **changes}


# ---- filing ---------------------------------------------------------------------------------------------------


def test_a_first_request_is_filed_by_the_form_and_its_page_shows_it(alice: Client) -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    device = make_device()
    form = page(alice, "/requests/new/?image=b2g")
    assert 'name="key.b2gbase"' in form
    assert re.search(r'value="b2g" required\s+checked', form)
    response = alice.post("/requests/new/", fields(priority="-1", duration="other", duration_other="1h 30m"))
    request = Request.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/requests/{request.pk}/")
    assert (request.owner, request.assignee, request.priority) == ("alice", "alice", -1)
    assert json.loads(request.boot_config) == {"b2gbase": "http://127.0.0.1/x"}
    assert request.duration == 5400
    assert request.waits_until - request.created == timedelta(days=1)
    shown = page(alice, f"/requests/{request.pk}/")
    assert f'data-copy="{device.fqdn}"' in shown
    assert "http://127.0.0.1/x" in shown


def test_the_same_form_sent_twice_files_once_and_a_changed_one_again(alice: Client) -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    make_devices(3)
    first, second = (alice.post("/requests/new/", fields()) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert alice.post("/requests/new/", fields(duration="7200"))["Location"] != first["Location"]
    assert Request.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"image": ""}, "image", "Choose an image."),
        ({"image": "gone"}, "image", "There is no image"),
        ({"image": "b2\0g"}, "image", "Null characters are not allowed."),
        ({"key.b2gbase": ""}, "key.b2gbase", "The image needs a value here."),
        ({"key.b2gbase": "file:///etc/passwd"}, "key.b2gbase", "an http or https URL"),
        ({"device": "nowhere"}, "device", "There is no device"),
        ({"environment": "mars"}, "environment", "Select a valid choice"),
        ({"tags": "hdmi, b@d"}, "tags", "Letters, digits"),
        ({"priority": "3"}, "priority", "A priority above 0 is for operators"),
        ({"priority": "ten"}, "priority", "A valid integer is required."),
        ({"duration": "other", "duration_other": "soon"}, "duration", "is no duration"),
        ({"duration": "other", "duration_other": "5000d"}, "duration", "whole seconds from 1 to"),
    ],
)
def test_a_wrong_form_is_not_filed_and_says_what_is_wrong_at_the_field(
    alice: Client, changes: dict[str, str], field: str, told: str
) -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    make_device()
    response = alice.post("/requests/new/", fields(**changes))
    assert response.status_code == 400, response.content
    assert told.lower() in str(response.context["form"].errors[field][0]).lower()
    shown = response.content.decode()
    assert "It has not been filed." in shown
    # Words, and nothing that only a programmer reads.
    assert not re.search(r"\[(&#x27;|&quot;|')", shown)
    assert not Request.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_can_never_be_met_is_refused_with_the_reason(alice: Client) -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    make_device()
    response = alice.post("/requests/new/", fields(tags="gpu"))
    assert response.status_code == 422
    told = "Nothing could ever meet this: no device has the tags gpu together; tags there: none"
    assert response.context["form"].errors == {"tags": [told]}
    assert not Request.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_quota_is_told_on_the_form(alice: Client, settings: Settings) -> None:
    settings.MOZPOOL_MAX_OPEN_REQUESTS = 1
    make_image("b2g", boot_config_keys=["b2gbase"])
    make_devices(3)
    alice.post("/requests/new/", fields())
    response = alice.post("/requests/new/", fields(duration="7200"))
    assert response.status_code == 429
    assert "alice has 1 open requests, and may have 1" in words(response.content.decode())


def test_without_javascript_the_fields_of_an_image_are_shown_on_demand(alice: Client) -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    make_device()
    response = alice.post("/requests/new/", {**fields(assignee="bob"), "look": "yes"})
    html = response.content.decode()
    assert 'name="key.b2gbase"' in html
    assert 'value="bob"' in html
    assert "A device is free." in html
    assert not Request.objects.exists()


def test_the_form_says_what_a_request_would_meet(alice: Client) -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    taken, free = make_device(state="ready", idle_since=None, held_by=99), make_device()
    look = "/requests/new/outlook/?image=b2g"
    assert "A device is free. 2 devices fit: 1 free, 1 in use." in words(page(alice, look))
    told = words(page(alice, f"{look}&device={taken.name}"))
    assert told.startswith(f"It would wait. {taken.name} is in use.")
    told = words(page(alice, f"{look}&device={taken.name}&max_wait=0"))
    assert told.startswith(f"It would fail at once. {taken.name} is in use.")
    assert f"A device is free. {free.name} is free." in words(page(alice, f"{look}&device={free.name}"))
    shop = make_device(state="maintenance_mode", deadline=None)
    told = words(page(alice, f"{look}&device={shop.name}"))
    assert told.startswith(f"It would wait. {shop.name} is in maintenance.")
    assert "Can't be met: no device has the tags gpu together" in words(page(alice, f"{look}&tags=gpu"))
    assert "There is no device" in words(page(alice, f"{look}&device=nowhere"))
    assert f'<option value="{free.name}">' in page(alice, f"/requests/new/devices/?device={free.name[:7]}")


def test_another_like_it_takes_over_secrets_only_from_ones_own(person: Person) -> None:
    image = make_image("b2g", boot_config_keys=["b2gbase"])
    secret = '{"b2gbase": "http://127.0.0.1/secret"}'
    request = make_request(image, owner="alice", boot_config=secret)
    path = f"/requests/new/?like={request.pk}"
    assert "http://127.0.0.1/secret" in page(person("alice"), path)
    other = page(person("bob"), path)
    assert 'name="key.b2gbase"' in other
    assert "secret" not in other


def test_hidden_images_are_offered_to_operators_only(alice: Client, olga: Client) -> None:
    make_image("android")
    make_image("next", hidden=True)
    offered = [
        re.findall(r'name="image" value="([^"]+)"', page(one, "/requests/new/")) for one in (alice, olga)
    ]
    assert offered == [["android"], ["android", "next"]]


# ---- one request ------------------------------------------------------------------------------------------------


def test_who_waits_is_told_why_and_where_it_stands(victor: Client) -> None:
    image = make_image()
    make_device(state="ready", idle_since=None, held_by=1)
    make_request(image)
    request = make_request(image)
    told = words(page(victor, f"/requests/{request.pk}/"))
    assert "Why it waits 1 device fits: 1 in use; 1 request comes first. Place in line 2" in told
    assert "Looking for a device : under way" in told


def test_a_boot_config_is_shown_to_its_owner_and_to_operators(
    alice: Client, olga: Client, victor: Client
) -> None:
    config = '{"b2gbase": "http://x/<b>"}'
    request = make_request(make_image(), owner="alice", boot_config=config)
    for client in (alice, olga):
        assert "http://x/&lt;b&gt;" in page(client, f"/requests/{request.pk}/")
    hidden = page(victor, f"/requests/{request.pk}/")
    assert "http://x/" not in hidden
    assert "***" in hidden


def test_what_somebody_typed_stays_text(victor: Client) -> None:
    request = make_request(make_image(), assignee="<script>alert(1)</script>\x1b[2J")
    for path in (f"/requests/{request.pk}/", "/requests/"):
        html = page(victor, path)
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[2J" in html


def test_an_open_page_costs_a_304_until_something_happens(alice: Client) -> None:
    request = make_request(make_image(), state="ready", owner="alice", deadline=None)
    path = f"/requests/{request.pk}/now/"
    tag = alice.get(path)["ETag"]
    assert alice.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert alice.post(f"/requests/{request.pk}/renew/", {"duration": "14400"}).status_code == 302
    fresh = alice.get(path, headers={"If-None-Match": tag})
    assert fresh.status_code == 200
    assert "renewed for 14400 s" in words(fresh.content.decode())
    assert "X-Live-Over" not in fresh
    alice.post(f"/requests/{request.pk}/return/")
    assert alice.get(path, headers={"If-None-Match": tag})["X-Live-Over"] == "yes"


@pytest.mark.usefixtures("db")
def test_the_list_hears_of_each_renewal_also_of_one_that_another_outlasts() -> None:
    image, by = make_image(), Actor("alice", "user")
    make_request(image, state="ready", expires=clock.now() + timedelta(days=1))
    longer, shorter = (make_request(image, state="ready") for _ in range(2))
    heard = []
    for change in (
        lambda: None,
        lambda: renew(longer.pk, 7200, by=by),
        lambda: renew(shorter.pk, 60, by=by),
        lambda: make_request(image, state="closed", ended=clock.now()),
        lambda: return_request(shorter.pk, by=by),
    ):
        change()
        live.forget()
        heard.append(live.requests_version())
    assert len(set(heard)) == 5
    live.forget()
    assert live.requests_version() == heard[-1]


def test_its_webhook_is_told_of_without_its_address(alice: Client, victor: Client) -> None:
    request = make_request(make_image(), owner="alice", has_webhook=True)
    now = clock.now()
    hook = Webhook.objects.create(request=request, url="http://ci.example/hook?key=secret")
    delivery = Delivery.objects.create(
        webhook=hook, message_id="m", subject="s", event="request.ready", body="{}", created=now, not_before=now,
        give_up=now,
    )  # fmt: skip
    Attempt.objects.create(delivery=delivery, time=now, status=500, milliseconds=3)
    html = page(alice, f"/requests/{request.pk}/")
    assert "Host ci.example Told 0 delivered, 1 to come, 0 given up" in words(html)
    assert "status 500" in html
    assert "secret" not in html
    assert "ci.example" not in page(victor, f"/requests/{request.pk}/")


@pytest.mark.parametrize("number", ["7", "99999999999999999999"])
def test_a_request_that_is_not_there_is_not_found(alice: Client, number: str) -> None:
    for path in ("", "now/", "return/"):
        assert f"there is no request {number}" in page(alice, f"/requests/{number}/{path}", 404)
    assert alice.post(f"/requests/{number}/renew/", {"duration": "60"}).status_code == 404


# ---- its stages: decided purely -----------------------------------------------------------------------------------


def entered(device: Device, request: Request, *states: str) -> None:
    """Let a device have gone through states, ten seconds each, for a request."""
    now, before = request.matched_at, ""
    assert now is not None
    for number, state in enumerate(states):
        at = now + timedelta(seconds=10 * number)
        line = journal.line(
            f"entering state {state}", at, device_id=device.pk, request_id=request.pk, from_state=before,
            to_state=state,
        )  # fmt: skip
        journal.append([line])
        before = state


def test_the_steps_of_an_installation_are_shown_with_their_tries(alice: Client) -> None:
    device = make_device(state="downloading")
    matched = clock.now() - timedelta(seconds=90)
    request = make_request(
        make_image(), state="pending", device=device, last_device=device, matched_at=matched, owner="alice"
    )
    entered(
        device, request, "start_pxe_boot", "pxe_power_cycling", "pxe_booting", "pxe_power_cycling", "pxe_booting",
        "mobile_init_started", "downloading",
    )  # fmt: skip
    told = words(page(alice, f"/requests/{request.pk}/"))
    assert "Preparing the device : under way" in told
    assert "Power cycle try 2 30.0 s Boot the live system try 2 30.0 s Download 30" in told
    assert "downloading Write to storage Check that it is up" in told


def test_every_state_in_which_a_device_is_prepared_belongs_to_a_step() -> None:
    """What an installation or a power cycle can lead through, until it succeeds or gives up, is in the steps."""
    known = {state for _, states in STEPS for state in states}
    assert known <= {state.name for state in DEVICE.states}
    on_the_way = {state.name for state in DEVICE.states if "installing" in state.tags or state.work}
    assert on_the_way <= known


def life(**changes: Any) -> Life:
    now = clock.now()
    begun = {
        "state": "pending",
        "created": now - timedelta(minutes=5),
        "matched_at": now - timedelta(minutes=3),
    }
    return Life(**{**begun, "ready_at": None, "ended": None, **changes})


def statuses(one: Life) -> list[str]:
    return [f"{stage.label}: {stage.status}" for stage in stages(one, [], clock.now())]


def test_a_life_is_told_in_its_stages() -> None:
    now = clock.now()
    assert statuses(life(state="finding_device", matched_at=None)) == [
        "Filed: done", "Looking for a device: now", "Prepared: ahead", "Ready: ahead", "Ended: ahead",
    ]  # fmt: skip
    assert statuses(life()) == [
        "Filed: done", "Device found: done", "Preparing the device: now", "Ready: ahead", "Ended: ahead",
    ]  # fmt: skip
    assert statuses(life(state="ready", ready_at=now)) == [
        "Filed: done", "Device found: done", "Prepared: done", "Ready to use: now", "Ended: ahead",
    ]  # fmt: skip
    assert statuses(life(state="closed", ready_at=now, ended=now, ended_by="expire")) == [
        "Filed: done", "Device found: done", "Prepared: done", "Ready: done", "Expired: done",
    ]  # fmt: skip
    assert statuses(life(state="failed_bad_image", ended=now)) == [
        "Filed: done", "Device found: done", "Preparing failed: failed", "Ready: skipped", "Failed: failed",
    ]  # fmt: skip
    assert statuses(life(state="failed_device_busy", matched_at=None, ended=now)) == [
        "Filed: done", "No device: failed", "Prepared: skipped", "Ready: skipped", "Failed: failed",
    ]  # fmt: skip
    again = stages(life(ready_at=now), [], now)[2]
    assert (again.label, again.status) == ("Preparing the device again", Status.NOW)


# ---- renewing and returning ---------------------------------------------------------------------------------------


def test_a_request_is_renewed_by_one_click_and_returned_after_a_question(alice: Client) -> None:
    image = make_image()
    device = make_device(image=image)
    request = file_request(Order(image=image, assignee="a", duration=600), by=Actor("alice", "api"))
    response = alice.post(f"/requests/{request.pk}/renew/", {"duration": "14400"}, follow=True)
    assert f"Request {request.pk}: ends 4 h 0 min after it is ready." in words(response.content.decode())
    assert Request.objects.get().duration == 14400
    Request.objects.update(ready_at=clock.now())
    response = alice.post(f"/requests/{request.pk}/renew/", {"duration": "14400"}, follow=True)
    assert f"Request {request.pk}: ends in 4 h 0 min." in words(response.content.decode())
    left = Request.objects.get().expires - clock.now()
    assert timedelta(seconds=14390) < left <= timedelta(seconds=14400)
    assert alice.post(f"/requests/{request.pk}/renew/", {"other": "2 d"}).status_code == 302
    asked = words(page(alice, f"/requests/{request.pk}/return/"))
    assert f"{device.name} goes back to the pool" in asked
    assert Request.objects.get().ended is None
    alice.post(f"/requests/{request.pk}/return/")
    assert Request.objects.get().state == "closed"
    line = Journal.objects.get(request_id=request.pk, to_state="closed")
    assert (line.actor, line.source) == ("alice", "user")
    assert "Returned : done" in words(page(alice, f"/requests/{request.pk}/"))


@pytest.mark.parametrize(
    "body", [{}, {"duration": "x"}, {"other": "-5"}, {"duration": "0"}, {"duration": "9" * 30}]
)
def test_a_duration_that_is_none_is_refused(alice: Client, body: dict[str, str]) -> None:
    request = make_request(make_image(), owner="alice")
    response = alice.post(f"/requests/{request.pk}/renew/", body)
    assert response.status_code == 400
    assert "duration" in response.content.decode()


def test_nobody_but_its_owner_and_operators_act_on_a_request(
    person: Person, olga: Client, victor: Client
) -> None:
    request = make_request(make_image(), owner="alice")
    bob = person("bob")
    for client in (bob, victor):
        assert client.post(f"/requests/{request.pk}/renew/", {"duration": "60"}).status_code == 403
        assert client.post(f"/requests/{request.pk}/return/").status_code == 403
        assert "/renew/" not in page(client, f"/requests/{request.pk}/")
    told = bob.post("/requests/several/", {"action": "return", "request": request.pk, "confirmed": "yes"})
    assert f"Refused: request {request.pk} belongs to alice" in words(told.content.decode())
    assert Request.objects.get().ended is None
    assert olga.post(f"/requests/{request.pk}/return/").status_code == 302


def test_several_are_returned_after_a_question_each_with_its_result(alice: Client) -> None:
    image = make_image()
    mine = [make_request(image, owner="alice") for _ in range(3)]
    other = make_request(image, owner="bob")
    chosen = {"action": "return", "request": [one.pk for one in (*mine, other)]}
    asked = alice.post("/requests/several/", chosen).content.decode()
    assert "Return 4 requests" in words(asked)
    assert Request.objects.filter(ended=None).count() == 4
    done = words(alice.post("/requests/several/", {**chosen, "confirmed": "yes"}).content.decode())
    assert "3 of 4 returned" in done
    assert f"{other.pk} Refused: request {other.pk} belongs to bob" in done
    assert list(Request.objects.filter(ended=None)) == [other]


def test_the_queue_in_the_page_hears_of_each_request_by_itself(alice: Client) -> None:
    request = make_request(make_image(), owner="alice")
    asked = {"Accept": "application/json", "HX-Request": "true"}
    path = f"/requests/{request.pk}"
    assert (
        alice.post(f"{path}/renew/", {"duration": "3600"}, headers=asked).json()["told"]
        == "ends in 1 h 0 min"
    )
    assert alice.post(f"{path}/return/", headers=asked).json() == {"request": request.pk, "told": "returned"}
    refused = alice.post(f"{path}/renew/", {"duration": "3600"}, headers=asked)
    assert (refused.status_code, refused.content.decode()) == (
        409, f"request {request.pk} has ended: it is closed",
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [{}, {"action": "burn", "request": "1"}, {"action": "return"}, {"action": "return", "request": "one"},
     {"action": "renew", "request": "1"}, {"action": "return", "request": [str(n) for n in range(1, 102)]}],
)  # fmt: skip
def test_a_selection_that_makes_no_sense_is_refused(alice: Client, body: dict[str, Any]) -> None:
    assert alice.post("/requests/several/", body).status_code == 400


# ---- the list -----------------------------------------------------------------------------------------------------


def test_the_list_shows_open_requests_and_others_on_demand(victor: Client) -> None:
    image = make_image()
    first, second = make_request(image), make_request(image)
    closed = make_request(image, state="closed", ended=clock.now(), deadline=None)
    assert numbers(page(victor, "/requests/")) == [second.pk, first.pk]
    assert numbers(page(victor, "/requests/?show=closed")) == [closed.pk]
    assert numbers(page(victor, "/requests/?show=all&sort=created")) == [first.pk, second.pk, closed.pk]
    assert numbers(page(victor, "/requests/?state=closed")) == [closed.pk]
    assert 'name="request"' not in page(victor, "/requests/")


def test_the_list_is_narrowed_down_by_all_that_people_know_of_a_request(alice: Client) -> None:
    image, other = make_image(), make_image("linux")
    device = make_device()
    found = make_request(
        image, state="ready", device=device, last_device=device, owner="alice", assignee="bob@example.com",
        environment="staging",
    )  # fmt: skip
    make_request(other, owner="carol")
    for query in (
        "owner=me", "owner=alice", "assignee=bob@example.com", "text=BOB@", f"text={found.pk}",
        f"text={device.name[-5:]}", f"device={device.name}", "state=ready", "image=android", "environment=staging",
        f"owner=me&image=android&device={device.name}",
    ):  # fmt: skip
        assert numbers(page(alice, f"/requests/?{query}")) == [found.pk], query
    for query, told in (
        ("image=gone", "Image: there is no image &#x27;gone&#x27;"),
        ("device=nowhere", "Device: there is no device"),
        ("state=lost", "State: there is no state"),
    ):
        assert told in page(alice, f"/requests/?{query}")
    assert "No request matches these filters." in page(alice, "/requests/?text=100%25")


def test_pages_of_a_hundred_follow_one_another(victor: Client) -> None:
    image = make_image()
    made = [make_request(image).pk for _ in range(103)]
    first = page(victor, "/requests/?text=tester")
    assert numbers(first) == made[:2:-1]
    (after,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = page(victor, after.replace("&amp;", "&"))
    assert numbers(second) == made[2::-1]
    (before,) = re.findall(r'rel="prev" href="([^"]+)"', second)
    assert numbers(page(victor, before.replace("&amp;", "&"))) == made[:2:-1]
    assert "cursor" in page(victor, "/requests/?cursor=nonsense", 400)


def test_a_page_costs_the_same_however_much_it_shows(olga: Client) -> None:
    image = make_image("b2g", boot_config_keys=["b2gbase"])
    for number in range(100):
        device = make_device(state="downloading") if number % 2 else None
        make_request(
            image, state="pending" if device else "finding_device", device=device, last_device=device,
            matched_at=clock.now(),
        )  # fmt: skip
    request = file_order(image, boot_config={"b2gbase": "x"})
    for path in (
        "/requests/", "/requests/table/", f"/requests/{request.pk}/", f"/requests/{request.pk}/now/",
        f"/requests/{request.pk}/return/", "/requests/new/", "/requests/new/outlook/?image=b2g",
    ):  # fmt: skip
        for memory in (stock, queue, history, records):
            memory.forget()
        # The first to look reads what the process then remembers of the pool for some seconds.
        for most in (18, 12):
            with CaptureQueriesContext(connection) as asked:
                page(olga, path)
            assert len(asked) <= most, [one["sql"] for one in asked]
