"""Bulk actions in the browser: asked about before, carried out for those that were seen, followed to their end."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bmm.models import Operation
from devices.models import Device
from lifeguard.bulk import progress
from lifeguard.bulk.models import Batch, BatchItem
from lifeguard.bulk.verbs import VERBS
from pages import attention
from tests.factories import make_controller, make_device, make_devices, make_image, make_request
from tests.integration.access.people import somebody

pytestmark = pytest.mark.django_db
LIVE = {"X-Live": "1"}


def browser(role: str = "operator", name: str = "") -> Client:
    """Give a browser in which somebody of a role is logged in."""
    client = Client()
    client.force_login(somebody(name or role, role))
    return client


def hidden(text: str) -> dict[str, str]:
    """Give the hidden fields of the form that confirms."""
    form = text.partition('action="/bulk/start/"')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="([a-z]+)" value="([^"]*)"', form))


def ask(client: Client, verb: str, **form: Any) -> str:
    """Choose a verb for devices, and give the page that asks."""
    response = client.post("/bulk/confirm/", {"verb": verb, **form})
    assert response.status_code == 200, response.content
    return str(response.content.decode())


def confirm(client: Client, text: str, **form: Any) -> Any:
    """Send the form of the page that asks."""
    return client.post("/bulk/start/", {**hidden(text), **form})


def begun(client: Client, verb: str, form: dict[str, Any], **more: Any) -> Batch:
    """Begin a batch as a browser does."""
    response = confirm(client, ask(client, verb, **form), **more)
    assert response.status_code == 302, response.content
    return Batch.objects.get(pk=int(response["Location"].split("/")[2]))


def states() -> list[str]:
    """Give how far the devices of all batches are."""
    return list(BatchItem.objects.order_by("pk").values_list("progress", flat=True))


def test_the_question_says_what_will_be_done_to_how_many_and_what_that_means() -> None:
    image = make_image("b2g", boot_config_keys=["b2gbase"])
    held, off = make_device(name="held", image=image), make_device(name="off", state="locked_out")
    request = make_request(image, state="ready", device=held, deadline=None)
    text = " ".join(ask(browser(), "please_image", device=["held", "off"], devices="gone").split())
    assert "<h1>Install an image: 2 devices</h1>" in text
    assert "<strong>1 of them is in use</strong> by" in text
    assert f'<a href="/requests/{request.pk}/">{request.pk}</a>' in text
    assert "some will refuse: 1 in locked out." in text
    assert "No longer there: gone." in text
    assert all(f">{name}</a>" in text for name in ("held", off.name))
    assert 'data-images="b2g"' in text
    assert "is in use" not in " ".join(ask(browser("operator", "bob"), "comment", device="held").split())


def test_a_batch_runs_while_it_is_watched_and_its_page_ends_by_itself() -> None:
    controller = make_controller()
    devices = [make_device(power_controller=controller, outlet=f"bank1:relay{place}") for place in (1, 2)]
    client = browser()
    batch = begun(client, "power_cycle", {"device": [device.name for device in devices]})
    assert states() == ["asked", "asked"]
    page = client.get(f"/bulk/{batch.pk}/").content.decode()
    assert f'data-live="/bulk/{batch.pk}/part/?"' in page
    part = client.get(f"/bulk/{batch.pk}/part/", headers=LIVE)
    tag = {**LIVE, "If-None-Match": part["ETag"]}
    assert client.get(f"/bulk/{batch.pk}/part/", headers=tag).status_code == 304
    Operation.objects.update(status="running")
    running = client.get(f"/bulk/{batch.pk}/part/", headers=tag)
    assert (running.status_code, running.content.count(b">running</span>")) == (200, 2)
    first, second = Operation.objects.order_by("pk")
    Operation.objects.filter(pk=first.pk).update(status="done")
    Operation.objects.filter(pk=second.pk).update(status="failed", message="relay 2 stays on <b>")
    ended = client.get(f"/bulk/{batch.pk}/part/", headers=LIVE)
    assert ended["X-Live-Over"] == "1"
    assert "relay 2 stays on &lt;b&gt;" in ended.content.decode()
    assert "Try 1 again" in ended.content.decode()
    assert "data-live=" not in client.get(f"/bulk/{batch.pk}/").content.decode()
    assert "1 without success" in client.get("/bulk/").content.decode()


def test_trying_again_is_for_those_that_failed_with_what_was_given_before() -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    willing, locked = make_device(), make_device(state="locked_out")
    client = browser()
    given = {"image": "b2g", "value-b2gbase": "http://localhost/42/", "reason": "bug 1"}
    first = begun(client, "please_image", {"device": [willing.name, locked.name]}, **given)
    assert states() == ["asked", "refused"]
    text = client.post("/bulk/confirm/", {"again": first.pk}).content.decode()
    assert "Install an image: 1 device<" in text
    assert 'value="http://localhost/42/"' in text
    assert hidden(text)["devices"] == locked.name
    again = confirm(client, text, **given)
    assert Batch.objects.get(pk=int(again["Location"].split("/")[2])).again_of_id == first.pk


def test_all_that_match_are_those_that_were_seen() -> None:
    make_devices(3, environment="staging")
    make_device()
    client = browser()
    text = ask(client, "ping", all="1", matching="environment=staging")
    assert "Ping: 3 devices" in text
    assert "All that match environment: staging." in " ".join(text.split())
    make_device(environment="staging")
    refused = confirm(client, text)
    assert refused.status_code == 400
    assert "Other devices match now than you saw: 4." in refused.content.decode()
    assert confirm(client, refused.content.decode()).status_code == 302
    assert states() == ["asked"] * 4


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"verb": "ping"}, "no device is selected"),
        ({"device": "panda-1"}, "verb is missing"),
        ({"verb": "dance", "device": "panda-1"}, "nothing that can be done to devices"),
        ({"verb": "ping", "device": "nobody"}, "there is no device"),
        ({"verb": "ping", "all": "1", "matching": "rack=nowhere"}, "no device is selected"),
        ({"verb": "ping", "all": "1", "matching": "rak=p1"}, "is no filter of devices"),
        ({"verb": "ping", "all": "1"}, "no device is selected"),
        ({"again": "x"}, "there is no bulk action"),
        ({"again": "99999999999999999999"}, "there is no bulk action"),
    ],
)
@pytest.mark.parametrize("path", ["/bulk/confirm/", "/bulk/start/"])
def test_a_form_that_means_nothing_is_told_why(path: str, form: dict[str, str], told: str) -> None:
    make_device(name="panda-1")
    response = browser().post(path, form)
    assert response.status_code in (400, 404)
    assert told in response.content.decode()
    assert not Batch.objects.exists()


def test_what_is_dangerous_asks_for_a_reason_and_keeps_what_was_typed() -> None:
    device, client = make_device(), browser()
    text = ask(client, "force_state", device=device.name)
    refused = confirm(client, text, to="locked_out", reason=" ")
    assert refused.status_code == 400
    assert "This field is required." in refused.content.decode()
    assert '<option value="locked_out" selected>' in refused.content.decode()
    Device.objects.filter(pk=device.pk).update(state="pc_pinging")
    assert confirm(client, text, to="locked_out", reason="bug 1").status_code == 302
    assert states() == ["refused"], "it is in another state than the one that was seen"


def test_a_double_click_begins_one_batch() -> None:
    client = browser()
    text = ask(client, "ping", device=make_device().name)
    first, second = confirm(client, text), confirm(client, text)
    assert first["Location"] == second["Location"]
    assert Batch.objects.count() == 1


def test_requesters_cycle_the_power_of_what_they_hold_and_nothing_else() -> None:
    image = make_image()
    mine, other = make_device(power_controller=make_controller(), outlet="bank1:relay1"), make_device()
    make_request(image, state="ready", device=mine, owner="rita", deadline=None)
    mine.refresh_from_db()
    client = browser("requester", "rita")
    batch = begun(client, "power_cycle", {"device": mine.name})
    assert batch.arguments == {"held_by": [mine.held_by]}
    for verb in VERBS:
        names = [mine.name, other.name] if verb == "power_cycle" else [mine.name]
        assert client.post("/bulk/confirm/", {"verb": verb, "device": names}).status_code == 403, verb
        assert client.post("/bulk/start/", {"verb": verb, "device": names}).status_code == 403, verb
    assert Batch.objects.get() == batch
    assert browser("requester", "rob").post(f"/bulk/{batch.pk}/stop/").status_code == 403
    assert client.post(f"/bulk/{batch.pk}/stop/").status_code == 302


def test_viewers_see_what_was_done_but_not_the_values_of_images() -> None:
    make_image("b2g", boot_config_keys=["b2gbase"])
    operator = browser()
    batch = begun(
        operator, "please_image", {"device": make_device().name},
        **{"image": "b2g", "value-b2gbase": "http://localhost/secret/"},
    )  # fmt: skip
    viewer = browser("viewer")
    text = viewer.get(f"/bulk/{batch.pk}/").content.decode()
    assert "b2g" in text
    assert "secret" not in text
    assert "secret" in operator.get(f"/bulk/{batch.pk}/").content.decode()
    assert viewer.post(f"/bulk/{batch.pk}/stop/").status_code == 403
    assert viewer.get(f"/bulk/{'9' * 30}/").status_code == 404


def test_stopping_leaves_alone_what_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.bulk.confirming._AT_ONCE_SECONDS", 0.0)
    monkeypatch.setattr("pages.bulk.following._LOOK_SECONDS", 0.0)
    client = browser()
    batch = begun(client, "ping", {"device": [device.name for device in make_devices(4)]})
    assert states() == ["asked", "waiting", "waiting", "waiting"]
    assert "Stop: leave 2 alone" in client.get(f"/bulk/{batch.pk}/").content.decode()
    stopped = client.post(f"/bulk/{batch.pk}/stop/", follow=True).content.decode()
    assert "Stopped: 2 devices were left alone." in stopped
    assert states() == ["asked", "asked", "called_off", "called_off"]


def test_looking_costs_the_same_for_any_number_of_devices() -> None:
    client, costs = browser(), []
    for number in (5, 150):
        batch = begun(client, "ping", {"device": [device.name for device in make_devices(number)]})
        # On a busy machine some still wait, and are asked by the first look.
        progress.advance(batch.pk, budget_seconds=60)
        for path in (f"/bulk/{batch.pk}/", f"/bulk/{batch.pk}/part/"):
            # The frame's count of findings is remembered for some seconds, whatever page asks for it.
            attention.forget()
            with CaptureQueriesContext(connection) as queries:
                assert client.get(path).status_code == 200
            costs.append(len(queries))
    assert costs[:2] == costs[2:]
    assert max(costs) <= 15
