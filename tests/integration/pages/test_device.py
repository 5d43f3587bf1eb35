"""The page of one device in the browser: how it is, what may be done, quarantine, comments, and its story."""

import re
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bmm.models import Kind, Operation, Status
from devices import journal
from devices.models import Device, Journal
from devices.models.device import Health
from devices.models.journal import Source
from lifeguard import services
from lifeguard.machine import device_runner
from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.access.models import AuditEntry
from mozpool_site.access.roles import Role
from mozpool_site.api.access import Caller
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from pages.device import detail, marks, streams
from pages.device.marks import read_mark
from requests_app.models import Request
from tests.factories import change, make_controller, make_device, make_image, make_request

pytestmark = pytest.mark.django_db
Person = Callable[..., Client]
ADA = Actor("ada", "user", "192.0.2.1")
NO_ADDRESS = "bug: an address such as https://bugs.example.com/4711 expected"
OPERATOR = Caller("ada", Role.OPERATOR, None, "session", 1)


@pytest.fixture
def person(db: None) -> Person:
    """Give a maker of people in a browser."""
    # A test that commits empties all tables behind it, and with them what the migration had put there.
    import_module("devices.migrations.0002_roles").create(apps, None)

    def make(name: str, group: str) -> Client:
        user = User.objects.create(username=name)
        user.groups.add(Group.objects.get_or_create(name=group)[0])
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def ada(person: Person) -> Client:
    return person("ada", "operator")


@pytest.fixture
def vera(person: Person) -> Client:
    return person("vera", "viewer")


@pytest.fixture
def device() -> Device:
    return make_device(power_controller=make_controller(), outlet="bank1:relay1")


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content
    return response.content.decode()


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def tell(device: Device, name: str) -> Device:
    """Let something happen to a device, as itself."""
    return device_runner.deliver(device.pk, Event(name), by=Actor(device.name, "api")).row


def note(device: Device, text: str, **ago: float) -> None:
    moment = clock.now() - timedelta(**ago)
    journal.append([journal.line(text, moment, device_id=device.pk, by=Actor("", "syslog"))])


def test_a_stranger_logs_in_and_comes_back_and_an_unknown_device_is_not_found(
    ada: Client, device: Device
) -> None:
    path = f"/devices/{device.name}/"
    assert Client().get(path)["Location"] == f"/login/?next=%2Fdevices%2F{device.name}%2F"
    assert "there is no device" in text_of(page(ada, "/devices/no-such-device/", 404))
    assert page(ada, "/devices/no-such-device/now/", 404)


def test_it_tells_state_place_facts_and_who_has_it_for_how_long(vera: Client, device: Device) -> None:
    image = make_image()
    request = make_request(image, state="ready", device=device, assignee="ci@build")
    told = text_of(page(vera, f"/devices/{device.name}/"))
    assert f"Request {request.pk} of ci@build has it, with android" in told
    assert re.search(r"59 min( \d+ s)? left|1 h 0 min left", told)
    assert "Up and well." in told
    assert re.search(r"Offered no: in use; again in (59 min|1 h 0 min|1 h) at the latest", told)
    assert "bank1:relay1" in told
    assert f"{device.name} in its machine" in told
    assert "May go to start_self_test: asked for: self test; check_health_failed." in told


def test_actions_post_to_the_confirmation_and_others_are_grey_with_the_reason(
    ada: Client, vera: Client, device: Device
) -> None:
    html = page(ada, f"/devices/{device.name}/")
    assert 'action="/bulk/confirm/"' in html
    assert f'name="device" value="{device.name}"' in html
    assert re.search(r'<button type="submit" name="verb" value="please_self_test"', html)
    assert "It is in the pool." in html
    seen = page(vera, f"/devices/{device.name}/")
    assert 'name="verb"' not in seen
    assert "For operators; you are a viewer." in seen
    assert "Quarantine</button>" not in seen


def test_a_boot_config_is_for_operators_and_whoever_holds_the_device(
    ada: Client, vera: Client, person: Person, device: Device
) -> None:
    secret = '{"b2gbase": "http://127.0.0.1/secret/"}'
    request = make_request(make_image(), state="ready", device=device, owner="rob", boot_config=secret)
    Device.objects.filter(pk=device.pk).update(boot_config=secret)
    path = f"/devices/{device.name}/"
    assert "http://127.0.0.1/secret/" in page(ada, path)
    rob = person("rob", "requester")
    assert "http://127.0.0.1/secret/" in page(rob, path)
    for client in (vera, person("eve", "requester")):
        html = page(client, path)
        assert "secret" not in html
        assert "hidden: for whoever holds it, and operators" in html
    # What is on it yet was asked for by whoever had it before.
    Request.objects.filter(pk=request.pk).update(boot_config='{"b2gbase": "http://127.0.0.1/own/"}')
    assert "secret" not in page(rob, path)


def test_its_holder_is_offered_a_power_cycle_and_nothing_else(person: Person, device: Device) -> None:
    make_request(make_image(), state="ready", device=device, owner="rob")
    html = page(person("rob", "requester"), f"/devices/{device.name}/")
    assert re.findall(r'name="verb" value="(\w+)"', html) == ["power_cycle"]


def test_quarantine_locks_out_with_reason_bug_author_and_time(ada: Client, device: Device) -> None:
    given = {"reason": "screen <b>broken</b>", "bug": "https://bugs.example.com/4711"}
    response = ada.post(f"/devices/{device.name}/quarantine/", given, follow=True)
    device.refresh_from_db()
    assert (device.state, device.health, device.quarantine_by) == ("locked_out", Health.BAD, "ada")
    assert (device.quarantine_reason, device.quarantine_bug) == (given["reason"], given["bug"])
    html = response.content.decode()
    assert "screen &lt;b&gt;broken&lt;/b&gt;" in html
    assert 'href="https://bugs.example.com/4711"' in html
    assert "quarantined by ada: screen" in html
    entry = AuditEntry.objects.get(action="quarantine")
    assert (entry.actor, entry.target, entry.before["state"]) == ("ada", device.name, "ready")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"reason": "  "}, "reason: what is wrong with the device?"),
        ({"reason": "x" * 301}, "reason: at most 300 characters, got 301"),
        ({"reason": "x\x1by"}, "reason: one line without control characters, please"),
        (
            {"reason": "x", "bug": "javascript:alert(1)"},
            "bug: an address such as https://bugs.example.com/4711 expected",
        ),
        ({"reason": "x", "bug": "4711"}, NO_ADDRESS),
    ],
)
def test_a_bad_quarantine_is_refused_beside_its_field_and_keeps_what_was_typed(
    ada: Client, device: Device, given: dict[str, str], told: str
) -> None:
    response = ada.post(f"/devices/{device.name}/quarantine/", given)
    assert response.status_code == 400
    html = response.content.decode()
    assert f'role="alert">{told}</span>' in html
    assert "data-keep open" in html
    device.refresh_from_db()
    assert (device.state, device.quarantine_reason) == ("ready", "")


def test_a_viewer_puts_nothing_into_quarantine_and_notes_nothing(vera: Client, device: Device) -> None:
    for what in ("quarantine", "comments"):
        response = vera.post(f"/devices/{device.name}/{what}/", {"reason": "x", "comments": "x"})
        assert response.status_code == 403
        assert "vera is viewer; this needs operator" in text_of(response.content.decode())
    device.refresh_from_db()
    assert (device.state, device.comments) == ("ready", None)


def test_a_device_that_rests_out_of_the_pool_stays_where_it_is(ada: Client) -> None:
    failed = make_device(state="failed_pinging", deadline=None)
    ada.post(f"/devices/{failed.name}/quarantine/", {"reason": "its card is worn out"})
    failed.refresh_from_db()
    assert (failed.state, failed.quarantine_reason) == ("failed_pinging", "its card is worn out")


def test_what_a_person_said_stands_until_the_device_is_well_again(ada: Client) -> None:
    device = make_device(state="self_test_running", quarantine_by="ada", quarantine_reason="worn out")
    assert tell(device, "failed_self_test").quarantine_reason == "worn out"
    Device.objects.filter(pk=device.pk).update(state="self_test_running")
    well = tell(device, "self_test_ok")
    assert (well.state, well.health) == ("ready", Health.GOOD)
    assert (well.quarantine_reason, well.quarantine_by, well.quarantine_since) == ("", "", None)


def test_lifeguard_says_why_and_since_when_where_nobody_else_does(vera: Client) -> None:
    failed = tell(make_device(state="self_test_running"), "failed_self_test")
    failed.refresh_from_db()
    assert (failed.quarantine_by, failed.quarantine_since) == ("", failed.state_since)
    told = text_of(page(vera, f"/devices/{failed.name}/"))
    assert "self_test_running gave up after failed_self_test" in told
    assert "Said by Lifeguard" in told


def test_comments_are_stored_unless_somebody_was_quicker(ada: Client, device: Device) -> None:
    path = f"/devices/{device.name}/"
    (seen,) = re.findall(r'name="seen" value="(\w+)"', page(ada, path))
    typed = {"comments": "its cable is loose\r\n<script>alert(1)</script>", "seen": seen}
    assert ada.post(f"{path}comments/", typed).status_code == 302
    html = page(ada, path)
    assert "its cable is loose\n&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    late = ada.post(f"{path}comments/", {"comments": "all is well", "seen": seen})
    assert late.status_code == 409
    assert "somebody else has changed what is noted here" in late.content.decode()
    device.refresh_from_db()
    assert device.comments == "its cable is loose\n<script>alert(1)</script>"


def test_the_story_has_steps_operations_requests_syslog_and_people(ada: Client, device: Device) -> None:
    image = make_image()
    services.please(device.pk, "image", by=ADA, image=image)
    Operation.objects.update(status=Status.FAILED, message="no answer from relay 3", finished=clock.now())
    note(device, "kernel: \x1b[31mpanic\x1b[0m <img>")
    make_request(
        image,
        state="closed",
        last_device=device,
        matched_at=clock.now(),
        ended=clock.now(),
        assignee="ci@build",
    )
    audit.record("change", "device", device.name, by=ADA, before={"outlet": "a"}, after={"outlet": "b"})
    told = text_of(page(ada, f"/devices/{device.name}/"))
    assert "by way of start pxe boot setting next image to android by ada" in told
    assert "power cycle took" in told
    assert "failed: no answer from relay 3" in told
    assert "kernel: \\x1b[31mpanic\\x1b[0m &lt;img&gt;" in told
    assert "ci@build got it with android" in told
    assert "outlet: a → b by ada" in told


def test_the_audit_trail_is_told_to_operators_only(ada: Client, vera: Client, device: Device) -> None:
    audit.record("change", "device", device.name, by=ADA, before={"outlet": "a"}, after={"outlet": "b"})
    path = f"/devices/{device.name}/"
    assert "outlet: a" in page(ada, path)
    assert "outlet: a" not in page(vera, path)


def test_a_kind_of_news_can_be_chosen(ada: Client, device: Device) -> None:
    make_image("self-test")
    services.please(device.pk, "self_test", by=ADA)
    tell(device, "mobile_init_started")
    note(device, "a line of its own")
    chosen = {
        kind: text_of(page(ada, f"/devices/{device.name}/older/?kind={kind}")) for kind in streams.KINDS
    }
    assert [kind for kind, told in chosen.items() if "a line of its own" in told] == ["syslog"]
    assert [kind for kind, told in chosen.items() if "mobile init started" in told] == ["state", "boot"]
    assert [kind for kind, told in chosen.items() if "please_self_test" in told] == ["state", "people"]


def keys(story: detail.Story) -> list[tuple[object, ...]]:
    return [entry.key for day in story.days for told in day.told for entry in told.entries]


def test_older_parts_go_on_exactly_where_the_part_before_ended(device: Device) -> None:
    now = clock.now()
    # Many at the same moment, from two tables, so that time alone could not tell where to go on.
    moments = [now - timedelta(seconds=number // 40) for number in range(200)]
    Journal.objects.bulk_create(
        Journal(time=moment, device_id=device.pk, source=Source.SYSLOG, message=f"line {number}")
        for number, moment in enumerate(moments)
    )
    for moment in moments[:60]:
        Operation.objects.create(
            device=device,
            rack=device.rack,
            kind=Kind.PING,
            status=Status.DONE,
            created=moment,
            not_before=moment,
        )
    story = detail.story(device, OPERATOR)
    told = keys(story)
    assert len(told) == detail.PAGE
    while story.older is not None:
        # As the address of the link carries it.
        story = detail.story(device, OPERATOR, before=read_mark(str(story.older), "before"))
        told += keys(story)
    assert told == sorted(told, reverse=True)
    assert len(set(told)) == len(told) == 260


def test_a_page_that_stays_open_keeps_its_oldest_entry_as_new_ones_come(device: Device) -> None:
    for number in range(detail.PAGE + 20):
        note(device, f"line {number}", seconds=1000 - number)
    first = detail.story(device, OPERATOR)
    assert first.since is not None
    note(device, "news")
    later = detail.story(device, OPERATOR, since=read_mark(str(first.since), "since"))
    assert keys(later)[1:] == keys(first)
    assert (later.older, later.gap) == (first.since, False)


def test_a_search_for_a_kind_says_how_far_back_it_has_looked_and_goes_on_from_there(
    ada: Client, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "SEARCHED", 5)
    services.please(device.pk, "self_test", by=ADA)
    Operation.objects.update(created=clock.now() - timedelta(minutes=4))
    Journal.objects.update(time=clock.now() - timedelta(minutes=5))
    for number in range(8):
        note(device, f"hay {number}", seconds=number)
    first = detail.story(device, OPERATOR, kind="state")
    assert (first.days, first.gap) == ((), False)
    assert "Looked through as far as" in page(ada, f"/devices/{device.name}/?kind=state")
    second = detail.story(device, OPERATOR, kind="state", before=first.older)
    assert [told.first.state for day in second.days for told in day.told] == ["pc_power_cycling"]
    assert second.older is None
    # Operations have an index of their own, and still wait until the search has come so far.
    assert keys(detail.story(device, OPERATOR, kind="operation")) == []
    assert len(keys(detail.story(device, OPERATOR, kind="operation", before=first.older))) == 1


def test_durations_go_across_parts(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail, "PAGE", 1)
    now = clock.now()
    for seconds, state in ((100, "pxe_booting"), (40, "mobile_init_started")):
        line = journal.line(
            "entering", now - timedelta(seconds=seconds), device_id=device.pk, to_state=state, event="x"
        )
        journal.append([line])
    newest = detail.story(device, OPERATOR)
    older = detail.story(device, OPERATOR, before=newest.older)
    (entry,) = [told.first for day in older.days for told in day.told]
    assert (entry.state, entry.seconds, entry.lasts) == ("pxe_booting", 60.0, False)


@pytest.mark.parametrize(
    "mark", ["x", "2026-11-22T12:00:00Z~0~1", "2026-99-22T12:00:00Z~0~1~", f"2026-11-22T12:00:00Z~0~{2**63}~"]
)
def test_an_address_that_no_link_has_is_refused(ada: Client, device: Device, mark: str) -> None:
    for name in ("before", "since"):
        response = ada.get(f"/devices/{device.name}/now/", {name: mark})
        assert response.status_code == 400
        assert f"{name}: take the page" in text_of(response.content.decode())


def test_an_open_page_is_told_of_changes_and_of_nothing_else(ada: Client, device: Device) -> None:
    path = f"/devices/{device.name}/now/"
    # Lines of the last seconds may make it look again; these are older.
    note(device, "long ago", minutes=1)

    def ask(tag: str) -> tuple[int, str]:
        response = ada.get(path, headers={"If-None-Match": tag, "X-Live": "1"})
        return response.status_code, response["ETag"]

    _, tag = ask("")
    assert ask(tag) == (304, tag)
    note(device, "news")
    status, tag = ask(tag)
    assert status == 200
    Operation.objects.create(
        device=device, rack=device.rack, kind=Kind.PING, created=clock.now(), not_before=clock.now()
    )
    status, tag = ask(tag)
    assert status == 200
    change(device, environment="staging")
    assert ask(tag)[0] == 200
    tag = ask("")[1]
    with CaptureQueriesContext(connection) as queries:
        assert ask(tag)[0] == 304
    assert len(queries) <= 8, "\n".join(query["sql"] for query in queries)


@pytest.mark.parametrize("lines", [3, 500])
def test_the_page_costs_the_same_however_long_the_story_is(ada: Client, device: Device, lines: int) -> None:
    make_request(make_image(), state="ready", device=device)
    for number in range(lines):
        note(device, f"line {number}", seconds=number)
    with CaptureQueriesContext(connection) as queries:
        page(ada, f"/devices/{device.name}/")
    assert len(queries) <= 15, "\n".join(query["sql"] for query in queries)


def test_an_unknown_stored_state_is_shown_as_what_the_table_takes_it_for(vera: Client) -> None:
    odd = make_device(state="dancing", deadline=None)
    told = text_of(page(vera, f"/devices/{odd.name}/"))
    assert "Where a device with an unknown stored state lands." in told
