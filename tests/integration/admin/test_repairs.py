"""How broken devices are found, acted upon many at a time, and understood on one page."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from bmm import operations
from devices import services as notes
from devices.models import BootConfig, Device, Image, Rack
from devices.models.device import Health
from lifeguard.bulk.models import Batch, BatchItem
from lifeguard.services import force_state
from mozpool_site import clock
from mozpool_site.access.models import AuditEntry
from mozpool_site.statemachine.runner import Actor
from pages.bulk.selection import Selection
from pages.repairs.selection import Chosen, read
from tests.factories import make_device, make_request
from tests.integration.access.people import somebody
from tests.integration.admin.pages import load

LIST = "/admin/devices/device/"
NAMES = ["panda-0001", "panda-0002", "panda-0003", "panda-0004"]


@pytest.fixture
def operator(db: None) -> Client:
    """Give a browser in which an operator is logged in."""
    client = Client(REMOTE_ADDR="192.0.2.5")
    client.force_login(somebody("olga", "operator"))
    return client


def ask(client: Client, verb: str, devices: list[Device], **more: Any) -> Any:
    """Choose an action in the list, and give the page that asks."""
    sent = {"action": f"ask_{verb}", "_selected_action": [device.pk for device in devices], **more}
    return client.post(f"{LIST}{more.pop('query', '')}", sent)


def confirm(client: Client, page: Any, **fields: str) -> Any:
    """Send the page that asks."""
    verb = page.context["verb"].name
    return client.post(f"{LIST}act/{verb}/", {"chosen": page.context["chosen"].text(), **fields})


def wrong(page: Any) -> dict[str, list[str]]:
    assert page.status_code == 200
    return dict(page.context["form"].errors)


def found(client: Client, query: str) -> list[str]:
    page: Any = client.get(f"{LIST}?{query}")
    assert page.status_code == 200
    return [device.name for device in page.context["cl"].result_list]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("family=failed", NAMES[:2]),
        ("family=free", NAMES[3:]),
        ("family=held", NAMES[2:3]),
        ("family=nonsense", []),
        ("failing=day", NAMES[:1]),
        ("failing=longer", NAMES[1:2]),
        ("failing=nonsense", []),
        ("health=bad", NAMES[1:2]),
        ("health=quarantined", NAMES[1:2]),
        ("health=flapping", NAMES[:1]),
        ("rack=p2", NAMES[2:]),
        ("rack=nowhere", []),
        ("controller=relay-1-1&family=failed", NAMES[:2]),
        ("environment=staging", NAMES[3:]),
    ],
)
def test_devices_are_found_by_what_ails_them(
    operator: Client, pool: list[Device], query: str, names: list[str]
) -> None:
    now = clock.now()
    stored = Device.objects
    stored.filter(pk=pool[0].pk).update(state="failed_self_test", state_since=now, failures=2)
    stored.filter(pk=pool[1].pk).update(
        state="failed_pinging",
        state_since=now - timedelta(days=8),
        health=Health.BAD,
        quarantine_reason="fan",
    )
    stored.filter(pk=pool[2].pk).update(held_by=7)
    assert found(operator, query) == names


@pytest.mark.parametrize(
    "written", ["02:00:7F:40:00:03", "02-00-7f-40-00-03", "0200.7f40.0003", "02007f400003"]
)
def test_a_device_is_found_by_its_mac_in_any_notation(
    operator: Client, pool: list[Device], written: str
) -> None:
    assert found(operator, f"q={written}") == [Device.objects.get(mac="02007f400003").name]


def test_several_words_must_all_occur_wherever_they_are(operator: Client, pool: list[Device]) -> None:
    Device.objects.filter(pk__in=[pool[0].pk, pool[3].pk]).update(comments="Fan replaced, 50% louder")
    assert found(operator, "q=fan+p1.lab") == NAMES[:1]
    assert found(operator, "q=50%25") == [NAMES[0], NAMES[3]]
    Device.objects.filter(pk=pool[2].pk).update(inventory_id=4711)
    assert found(operator, "q=4711") == NAMES[2:3]


def test_a_selection_is_shown_asked_about_and_becomes_one_batch(operator: Client, pool: list[Device]) -> None:
    Device.objects.filter(pk=pool[1].pk).update(held_by=7, idle_since=None)
    page = ask(operator, "please_self_test", pool[:2])
    shown = page.content.decode()
    assert "Self-test: 2 devices" in shown
    assert "1 of them is in use" in shown
    assert all(name in shown for name in NAMES[:2])
    assert not Batch.objects.exists()
    first = confirm(operator, page, reason="look at the fans")
    batch = Batch.objects.get()
    assert (first.status_code, first["Location"]) == (302, f"/bulk/{batch.pk}/")
    assert (batch.verb, batch.actor, batch.address, batch.reason) == (
        "please_self_test", "olga", "192.0.2.5", "look at the fans",
    )  # fmt: skip
    assert list(batch.items.values_list("device__name", flat=True)) == NAMES[:2]
    # Sent twice, it is one batch: tests/integration/bulk says what becomes of the key.
    assert (batch.key is not None, read(page.context["chosen"].text()).key) == (
        True,
        page.context["chosen"].key,
    )


def test_all_that_match_are_selected_as_the_list_shows_them(operator: Client, pool: list[Device]) -> None:
    page = ask(operator, "ping", pool[:1], query="?rack=p2", select_across="1")
    assert page.context["selection"].names == NAMES[2:]


def test_an_image_is_asked_for_with_its_values(operator: Client, pool: list[Device]) -> None:
    page = ask(operator, "please_image", pool[:1])
    assert wrong(confirm(operator, page))["image"] == ["This field is required."]
    assert "value-b2gbase" in wrong(confirm(operator, page, image="b2g"))
    value = {"value-b2gbase": "http://127.0.0.1/b2g"}
    assert confirm(operator, page, image="b2g", **value).status_code == 302
    assert Batch.objects.get().arguments == {
        "image": "b2g", "boot_config": {"b2gbase": "http://127.0.0.1/b2g"},
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["lock_out", "troubleshoot", "force_state", "power_off"])
def test_what_is_dangerous_wants_a_reason(operator: Client, pool: list[Device], verb: str) -> None:
    page = ask(operator, verb, pool[:1])
    assert "pool-danger" in page.content.decode()
    fields = {"to": "locked_out"} if verb == "force_state" else {}
    assert wrong(confirm(operator, page, **fields))["reason"] == ["This field is required."]
    assert not Batch.objects.exists()


def test_a_forced_change_leaves_alone_what_has_moved_on_since_it_was_looked_at(
    operator: Client, pool: list[Device]
) -> None:
    page = ask(operator, "force_state", pool[:2])
    force_state(pool[1].pk, "ready", "troubleshooting", by=Actor("somebody", "user"))
    assert confirm(operator, page, to="locked_out", reason="bug 7").status_code == 302
    told = dict(BatchItem.objects.values_list("device__name", "message"))
    assert told[NAMES[0]] == ""
    assert "is in state troubleshooting now, which nobody has seen" in told[NAMES[1]]


def test_a_button_of_a_device_asks_about_that_one(operator: Client, pool: list[Device]) -> None:
    page: Any = operator.get(f"{LIST}act/please_maintenance/?device={NAMES[0]}")
    assert page.context["selection"].names == NAMES[:1]
    assert confirm(operator, page).status_code == 302
    unknown = operator.get(f"{LIST}act/ping/?device=panda-9999")
    assert (unknown.status_code, "there is no device" in unknown.content.decode()) == (404, True)
    assert operator.get(f"{LIST}act/explode/?device={NAMES[0]}").status_code == 400
    assert operator.get(f"{LIST}act/ping/").status_code == 400


def test_a_selection_that_was_tampered_with_or_is_partly_gone_is_refused(
    admin: Client, pool: list[Device]
) -> None:
    page = ask(admin, "ping", pool[:2])
    text = page.context["chosen"].text()
    for forged in ("", "x", text[:-2] + "AA"):
        answer = admin.post(f"{LIST}act/ping/", {"chosen": forged})
        assert (answer.status_code, "not one of ours" in answer.content.decode()) == (400, True)
    pool[1].delete()
    answer = admin.post(f"{LIST}act/ping/", {"chosen": text})
    assert (answer.status_code, "1 of the selected devices are gone" in answer.content.decode()) == (
        409,
        True,
    )
    assert not Batch.objects.exists()


def test_ten_thousand_devices_fit_into_the_form(pool: list[Device]) -> None:
    rows = tuple({"pk": 7 + 3 * n + n % 5, "name": f"d{n}", "state": "ready"} for n in range(10_000))
    assert len(Chosen(Selection(rows), ("ready",), "k").text()) < 20_000
    numbers = [device.pk for device in pool]
    few = Chosen(
        Selection(tuple({"pk": pk, "name": "x", "state": "ready"} for pk in numbers)), ("new",), "key"
    )
    again = read(few.text())
    assert ([row["pk"] for row in again.selection.rows], again.seen, again.key) == (numbers, ("new",), "key")


@pytest.mark.parametrize("role", ["viewer", "requester"])
def test_who_is_no_operator_gets_to_none_of_it(pool: list[Device], role: str) -> None:
    client = Client()
    client.force_login(somebody("vera", role))
    for path in (LIST, f"{LIST}act/ping/?device={NAMES[0]}", f"{LIST}export/", f"{LIST}{pool[0].pk}/change/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"].startswith("/admin/login/")) == (302, True)
    assert ask(client, "ping", pool).status_code == 302
    assert not Batch.objects.exists()


def test_the_page_of_a_device_tells_what_is_wrong_and_what_can_be_done(
    operator: Client, pool: list[Device]
) -> None:
    device = pool[0]
    request = make_request(Image.objects.get(name="android"), state="ready", device=device, assignee="ada@x")
    force_state(device.pk, "ready", "failed_self_test", by=Actor("olga", "user"), reason="<b>smoke</b>")
    work = operations.queue(device, "ping", clock.now(), actor="olga")
    shown = operator.get(f"{LIST}{device.pk}/change/").content.decode()
    assert f"/requests/{request.pk}/" in shown
    assert "of ada@x" in shown
    assert "forced from ready to failed_self_test by olga: &lt;b&gt;smoke&lt;/b&gt;" in shown
    assert f"/admin/bmm/operation/{work.pk}/change/" in shown
    offered = re.findall(r'<a class="pool-do[^"]*" href="/admin/devices/device/act/(\w+)/', shown)
    refused = re.findall(r'<span class="pool-do pool-do-not" title="([^"]+)">([\w ]+)<', shown)
    assert "please_self_test" in offered
    assert "please_image" not in offered
    assert "Install an image" in {label for _, label in refused}
    assert all(
        f"/{page}" in shown
        for page in (f"devices/{device.name}/", f"devices/{device.name}/log/", "racks/p1/")
    )


def test_history_tells_who_did_what_by_whatever_way(operator: Client, pool: list[Device]) -> None:
    path = f"{LIST}{pool[0].pk}/change/"
    assert operator.post(path, {**load(operator, path), "comments": "by the page"}).status_code == 302
    notes.set_comments(pool[0].pk, "by the API", by=Actor("ci", "api", "198.51.100.7"))
    page: Any = operator.get(f"{LIST}{pool[0].pk}/history/")
    assert [entry.actor for entry in page.context["trail"]] == ["ci", "olga"]
    assert [line.actor for line in page.context["lines"]] == ["ci"]
    assert all(
        words in page.content.decode() for words in ("by the page", "by the API", "198.51.100.7", "Changed")
    )


def test_history_of_a_rack_has_its_trail_too(admin: Client, pool: list[Device]) -> None:
    rack = Rack.objects.get(name="p1")
    AuditEntry.objects.create(
        actor="ada", action="change", target_kind="rack", target="p1", after={"vlan_note": "12"}
    )
    AuditEntry.objects.create(actor="eve", action="change", target_kind="rack", target="p2")
    page: Any = admin.get(f"/admin/devices/rack/{rack.pk}/history/")
    assert [entry.actor for entry in page.context["trail"]] == ["ada"]


def test_a_boot_config_that_is_not_active_is_offered_to_nobody(operator: Client) -> None:
    make_device(name="panda-1")
    BootConfig.objects.create(name="old", contents="DEFAULT x", active=False)
    page: Any = operator.get(f"{LIST}act/pxe_boot/?device=panda-1")
    assert [name for name, _ in page.context["form"].fields["netboot"].choices] == [""]
