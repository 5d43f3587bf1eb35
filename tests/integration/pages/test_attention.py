"""What needs attention: rows become findings and leave again, the count says the same, and who may do what."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bmm.models import HandTask, Kind, Operation, Status
from devices.models import Device, Image, PowerController, Rack
from lifeguard.models import Install
from mozpool_site.access.roles import Role
from mozpool_site.api.access import Caller
from mozpool_site.pulse.models import Parked
from pages.attention import count, forget
from pages.attention.findings import KINDS
from pages.attention.reading import SHOWN, attention
from requests_app.models import PoolLease
from requests_app.webhooks.models import Webhook
from tests.factories import make_controller, make_device, make_devices, make_image, make_rack, make_request
from tests.integration.access.people import somebody

pytestmark = pytest.mark.django_db

OPERATOR = Caller("ada", Role.OPERATOR, None)
ADMIN = Caller("root", Role.ADMIN, None)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    forget()


@pytest.fixture
def image() -> Image:
    return make_image("android")


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def found(caller: Caller = ADMIN) -> dict[str, list[str]]:
    """Look anew, and give what was found: by kind, what it is about; as many as the navigation counts."""
    forget()
    groups = attention.get(timezone.now()).seen_by(caller)
    assert count(caller) == sum(group.count for group in groups)
    return {group.kind.name: [finding.subject for finding in group.findings] for group in groups}


def browser(role: str = "operator") -> Client:
    client = Client()
    client.force_login(somebody(f"some-{role}", role))
    return client


def install(
    device: Device, image: Image, *, succeeded: bool = False, digest: str = "a", **since: float
) -> None:
    Install.objects.create(
        device=device, image=image, config_digest=digest, succeeded=succeeded, healthy_before=True,
        finished=ago(**since or {"minutes": 30}),
    )  # fmt: skip


def test_a_pool_in_which_all_is_well_says_so_nicely(image: Image) -> None:
    make_rack(pulse_seen=timezone.now())
    device, _ = make_devices(2)
    make_request(image, state="ready", device=device, expires=timezone.now() + timedelta(minutes=30))
    PoolLease.objects.create(name="pool", owner="imaging1", until=timezone.now())
    assert found() == {}
    assert "All is well" in browser("viewer").get("/attention/").content.decode()


def test_devices_that_gave_up_were_quarantined_or_forgotten_are_three_kinds() -> None:
    failed = make_device(state="failed_pxe_booting", deadline=None, health="bad", quarantine_reason="gave up")
    accused = make_device(
        state="failed_self_test",
        deadline=None,
        health="bad",
        quarantine_by="ada",
        quarantine_since=ago(days=1),
    )
    shelf = make_device(state="locked_out", deadline=None, state_since=ago(days=8))
    make_device(state="locked_out", deadline=None, state_since=ago(days=6))
    bench = make_device(state="troubleshooting", deadline=None, state_since=ago(hours=25))
    make_device(state="maintenance_mode", deadline=None, state_since=ago(hours=23))
    lost = make_device(state="unknown", deadline=None)
    make_device(health="bad")  # Lifeguard's own doubt, being tested
    assert found() == {
        "failed": [failed.name], "quarantined": [accused.name], "out": [shelf.name, bench.name, lost.name],
    }  # fmt: skip


def test_a_device_flaps_when_it_failed_three_times_in_a_week_and_is_ready_again(image: Image) -> None:
    flapping, twice, long_ago, mended, broken = make_devices(5)
    for place in range(2):
        install(flapping, image, digest=f"flapping{place}")
        install(twice, image, digest=f"twice{place}")
    Operation.objects.create(
        device=flapping, rack=flapping.rack, kind=Kind.CHECK_HEALTH, status=Status.FAILED,
        created=ago(days=1), not_before=ago(days=1), finished=ago(days=1),
    )  # fmt: skip
    for place in range(4):
        install(long_ago, image, days=8)
        install(mended, image, succeeded=True)
        install(broken, image, digest=f"broken{place}")
    Device.objects.filter(pk=broken.pk).update(state="failed_extracting", deadline=None)
    assert found() == {"failed": [broken.name], "flapping": [flapping.name]}


def test_an_image_is_suspect_until_one_build_of_it_succeeds_again(image: Image) -> None:
    one, two, three = make_devices(3)
    install(one, image, succeeded=True, hours=5)
    install(one, image, minutes=20)
    assert found() == {}, "one device is no evidence"
    install(two, image, minutes=10)
    install(three, make_image("linux"), minutes=10)
    assert found() == {"image": ["android"]}
    install(three, image, succeeded=True, minutes=5)
    assert found() == {}


def test_power_controllers_are_in_trouble_while_they_are_suspect_or_silent() -> None:
    now = timezone.now()
    make_controller(last_contact=now, last_error="refused", last_error_at=ago(days=1))
    silent = make_controller(last_contact=ago(hours=1), last_error="no answer", last_error_at=now)
    suspect = make_controller(last_contact=now, suspect_until=now + timedelta(minutes=5))
    make_controller(last_contact=now, suspect_until=ago(minutes=5))
    assert found() == {"controller": [silent.name, suspect.name]}


def test_a_rack_is_silent_when_its_pulse_its_worker_or_its_timers_stopped() -> None:
    now = timezone.now()
    make_rack("alive", pulse_seen=now)
    make_rack("stopped", pulse_seen=ago(minutes=1))
    unheard, late = make_rack("unheard", pulse_seen=now), make_rack("late", pulse_seen=now)
    device = make_device(rack=unheard)
    for due in (ago(minutes=2), now + timedelta(minutes=2)):
        Operation.objects.create(device=device, rack=unheard, kind=Kind.PING, created=due, not_before=due)
    make_device(rack=late, deadline=ago(minutes=3))
    assert found() == {"rack_silent": ["Rack stopped", "Rack late", "Rack unheard"]}
    whys = {finding.subject: finding.why for group in attention.get(now).groups for finding in group.findings}
    assert whys["Rack unheard"] == "1 operation waits for a worker."
    assert whys["Rack late"] == "The time of 1 device is over, and nobody noticed."


def test_requests_that_wait_long_or_end_soon_are_told(image: Image) -> None:
    now, device = timezone.now(), make_device()
    long = make_request(image, created=ago(minutes=11))
    make_request(image, created=ago(minutes=9))
    slow = make_request(
        image, state="pending", matched_at=ago(minutes=31), last_device=device, created=ago(hours=1)
    )
    ends: dict[str, Any] = {
        "state": "ready",
        "ready_at": ago(hours=3),
        "last_device": device,
        "expires": now + timedelta(minutes=50),
    }
    ending = make_request(image, created=ago(hours=4), **ends)
    make_request(image, created=ago(hours=2), **ends)
    make_request(image, **{**ends, "state": "closed", "created": ago(hours=4), "ended": ago(hours=1)})
    assert found() == {
        "waiting": [f"Request {slow.pk} of tester", f"Request {long.pk} of tester"],
        "expiring": [f"Request {ending.pk} of tester"],
    }


def test_a_pool_that_no_pulse_looks_after_is_the_first_finding() -> None:
    make_device(state="failed_self_test", deadline=None)
    PoolLease.objects.create(name="pool", owner="imaging1:7", until=ago(minutes=1))
    assert list(found()) == ["no_pulse", "failed"]


def test_what_the_pulse_cannot_deal_with_is_shown_to_operators_until_it_is_forgotten() -> None:
    now = timezone.now()
    row = {"times": 3, "error": "ValueError: no case for it", "first": ago(minutes=1), "last": now}
    Parked.objects.create(loop="timers", key="7", until=now + timedelta(seconds=8), **row)
    Parked.objects.create(loop="expiry", key="9", until=ago(minutes=3), **row)
    assert found(OPERATOR) == {"parked": ["timers 7"]}
    assert "Failed 3 times: ValueError: no case for it" in browser().get("/attention/").content.decode()


def test_webhooks_that_were_given_up_are_shown_to_admins_alone(image: Image) -> None:
    over = make_request(image, state="closed", ended=timezone.now())
    dead = Webhook.objects.create(
        url="https://hooks.example/x", dead_since=ago(hours=1), dead_reason="404 for a day"
    )
    Webhook.objects.create(url="https://hooks.example/y", dead_since=ago(hours=1), request=over)
    Webhook.objects.create(url="https://hooks.example/z", dead_since=ago(hours=1), active=False)
    assert found(ADMIN) == {"webhook": [f"Webhook {dead.pk}"]}
    assert found(OPERATOR) == {}
    assert "Webhook" not in browser().get("/attention/").content.decode()


@pytest.fixture
def hand_task() -> HandTask:
    board = make_controller(driver="hand")
    device = make_device(rack=board.rack, power_controller=board, outlet="socket 3")
    Operation.objects.create(
        device=device, rack=board.rack, controller=board, kind=Kind.POWER_CYCLE,
        created=timezone.now(), not_before=timezone.now() + timedelta(seconds=5),
    )  # fmt: skip
    return HandTask.objects.create(
        device=device, controller=board, outlet="socket 3", kind=Kind.POWER_CYCLE, asked_at=ago(minutes=1),
        open_for=device.pk,
    )  # fmt: skip


def test_what_a_person_has_switched_is_confirmed_right_there(hand_task: HandTask) -> None:
    assert found() == {"hand_task": [hand_task.device.name]}
    operator = browser()
    path = f"/attention/hand-tasks/{hand_task.pk}/done/"
    assert path in operator.get("/attention/").content.decode()
    response = operator.post(path, follow=True)
    assert "what waited for it goes on" in response.content.decode()
    hand_task.refresh_from_db()
    assert hand_task.done_by == "some-operator"
    assert found() == {}
    assert "Nothing waits for task" in operator.post(path, follow=True).content.decode()
    assert operator.post("/attention/hand-tasks/999999/done/").status_code == 404
    assert browser("viewer").post(path).status_code == 403


def test_operators_select_devices_and_act_and_viewers_only_look() -> None:
    device = make_device(
        state="failed_self_test", deadline=None, quarantine_reason="<script>alert(1)</script>",
        power_controller=make_controller(), outlet="bank1:relay1",
    )  # fmt: skip
    operator, viewer = (browser(role).get("/attention/").content.decode() for role in ("operator", "viewer"))
    assert f'name="device" value="{device.name}"' in operator
    assert 'name="verb" value="please_self_test"' in operator
    assert f'href="/bulk/confirm/?verb=please_self_test&amp;device={device.name}"' in operator
    for page in (operator, viewer):
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
    assert "please_self_test" not in viewer
    assert 'type="checkbox"' not in viewer


def test_an_open_page_is_told_of_news_and_else_of_nothing() -> None:
    device, client = make_device(state="failed_self_test", deadline=None), browser()
    first = client.get("/attention/part/", headers={"X-Live": "1"})
    assert device.name in first.content.decode()
    tag = first["ETag"]
    forget()
    assert client.get("/attention/part/", headers={"If-None-Match": tag}).status_code == 304
    Device.objects.filter(pk=device.pk).update(state="ready")
    forget()
    news = client.get("/attention/part/", headers={"If-None-Match": tag})
    assert (news.status_code, device.name in news.content.decode()) == (200, False)


def test_of_very_many_findings_the_oldest_are_shown_and_all_are_counted() -> None:
    make_devices(SHOWN + 20, state="failed_self_test", deadline=None, state_since=ago(hours=1))
    oldest = make_device(state="failed_self_test", deadline=None, state_since=ago(hours=2))
    html = browser("viewer").get("/attention/").content.decode()
    shown = re.findall(r'data-device="([^"]+)"', html)
    assert (len(shown), shown[0]) == (SHOWN, oldest.name)
    assert re.search(r'21 more: <a href="/devices/\?family=failed">', html)


def full_pool(image: Image, number: int) -> None:
    """Give a pool a finding of each kind, and so many of most."""
    now = timezone.now()
    PoolLease.objects.update_or_create(name="pool", defaults={"until": ago(minutes=1)})
    Parked.objects.bulk_create(
        Parked(
            loop="timers", key=f"{now:%f}{place}", times=1, until=now, error="no case", first=now, last=now
        )
        for place in range(number)
    )
    for name in (f"r{place}" for place in range(number)):
        rack = make_rack(name, pulse_seen=ago(minutes=1))
        make_controller(rack=rack, last_error="no answer", last_error_at=now)
    devices = make_devices(number, state="failed_self_test", deadline=None)
    make_devices(number, state="unknown", deadline=None)
    make_devices(number, health="bad", quarantine_by="ada")
    for device in devices:
        install(device, image, digest="b")
        make_request(image, created=ago(hours=1))
    for device in make_devices(number):
        for place in range(3):
            install(device, image, digest=f"{device.pk}{place}")
    Webhook.objects.bulk_create(Webhook(url="https://hooks.example/x", dead_since=now) for _ in range(number))
    ends: dict[str, Any] = {"state": "ready", "expires": now + timedelta(minutes=5), "created": ago(hours=9)}
    for _ in range(number):
        make_request(image, **ends, last_device=devices[0])


def asked(look: Callable[[], object]) -> int:
    """Look anew, and count the queries."""
    forget()
    with CaptureQueriesContext(connection) as queries:
        look()
    return len(queries)


def test_the_list_costs_the_same_for_many_findings_as_for_few_and_the_count_next_to_nothing(
    image: Image, hand_task: HandTask
) -> None:
    client = browser("admin")
    full_pool(image, 2)
    few = asked(lambda: client.get("/attention/"))
    assert set(found()) == {kind.name for kind in KINDS} - {"clock"}
    full_pool(image, 12)
    assert asked(lambda: client.get("/attention/")) == few <= 15
    assert asked(lambda: count(OPERATOR)) <= 2
    with CaptureQueriesContext(connection) as queries:
        count(OPERATOR)
    assert len(queries) == 0
    assert (Rack.objects.count(), PowerController.objects.count()) == (13, 15)
