"""Webhooks of the pool by the v2 API: admins only, secrets write-only, a ping, and the log of deliveries."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from mozpool_site.access.models import AuditEntry
from requests_app.webhooks.models import Delivery, Webhook
from requests_app.webhooks.targets import Target, new_secret
from tests.factories import file_order, make_image
from tests.integration.access.people import sending, somebody, token_of
from tests.integration.webhooks.receiver import Receiver, answering
from tests.integration.webhooks.times import deliver_all

pytestmark = pytest.mark.django_db(transaction=True)
BASE = "/api/v2/webhooks/"


@pytest.fixture
def groups(db: None) -> None:
    import_module("devices.migrations.0002_roles").create(apps, None)


@pytest.fixture
def root(groups: None) -> Client:
    return sending(token_of(somebody("root", "admin")))


def post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(path, body, content_type="application/json")


def patch(client: Client, path: str, body: dict[str, Any], **headers: str) -> Any:
    return client.patch(path, body, content_type="application/json", headers=headers)


def test_one_without_a_secret_gets_one_that_is_shown_once(root: Client, receiver: Receiver) -> None:
    made = post(root, BASE, {"url": receiver.url, "events": ["request.*"]})
    assert made.status_code == 201
    told = made.json()
    assert made["Location"] == told["link"] == f"http://localhost:8000{BASE}{told['id']}/"
    assert {name: told[name] for name in ("url", "events", "active", "owner", "failures", "dead_since")} == {
        "url": receiver.url,
        "events": ["request.*"],
        "active": True,
        "owner": "root",
        "failures": 0,
        "dead_since": None,
    }
    webhook = Webhook.objects.get()
    assert told["secret"] == webhook.secret
    file_order(make_image())
    deliver_all(webhook)
    assert receiver.got[0].is_signed_with(told["secret"])
    for path in (BASE, f"{BASE}{webhook.pk}/", f"{BASE}{webhook.pk}/deliveries/"):
        answer = root.get(path)
        assert answer.status_code == 200
        assert webhook.secret not in answer.content.decode()
        assert '"secret"' not in answer.content.decode()


def test_a_secret_that_was_given_is_not_repeated(root: Client, receiver: Receiver) -> None:
    secret = new_secret()
    made = post(root, BASE, {"url": receiver.url, "events": ["*"], "secret": secret})
    assert (made.status_code, made.json()["secret"]) == (201, None)
    assert Webhook.objects.get().secret == secret
    assert secret not in repr(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://elsewhere.example/"}, "url"),
        ({"url": "http://ada:pw@127.0.0.1/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http://127.0.0.1/" + "x" * 500}, "url"),
        ({"url": None}, "url"),
        ({"events": []}, "events"),
        ({"events": ["device.exploded"]}, "events"),
        ({"events": ["["]}, "events"),
        ({"events": "request.*"}, "events"),
        ({"events": ["*"] * 51}, "events"),
        ({"secret": "swordfish"}, "secret"),
        ({"secret": ""}, "secret"),
        ({"active": "perhaps"}, "active"),
        ({"owner": "me"}, "owner"),
        ({"sectret": "x"}, "sectret"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(
    root: Client, change: dict[str, Any], field: str
) -> None:
    answer = post(root, BASE, {"url": "http://127.0.0.1/x", "events": ["*"], **change})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["field"].partition(".")[0] == field
    assert not Webhook.objects.exists()


def test_a_patch_changes_what_it_names_and_heeds_if_match(root: Client, webhook: Webhook) -> None:
    path = f"{BASE}{webhook.pk}/"
    etag = root.get(path)["ETag"]
    changed = patch(root, path, {"events": ["device.*"], "active": False}, **{"If-Match": etag})
    assert (changed.status_code, changed.json()["events"], changed.json()["active"]) == (
        200,
        ["device.*"],
        False,
    )
    stale = patch(root, path, {"active": True}, **{"If-Match": etag})
    assert stale.status_code == 412
    assert Webhook.objects.get().active is False
    entry = AuditEntry.objects.get(action="change_webhook")
    assert (entry.actor, entry.target, entry.before["active"], entry.after["active"]) == (
        "root",
        f"webhook {webhook.pk}",
        True,
        False,
    )
    assert entry.before["host"] == "127.0.0.1"


def test_a_new_secret_signs_from_then_on(root: Client, webhook: Webhook, receiver: Receiver) -> None:
    secret = new_secret()
    assert patch(root, f"{BASE}{webhook.pk}/", {"secret": secret}).status_code == 200
    file_order(make_image())
    deliver_all(webhook)
    assert receiver.got[0].is_signed_with(secret)
    assert not receiver.got[0].is_signed_with(webhook.secret)


def test_a_ping_is_accepted_and_its_delivery_tells_how_it_went(
    root: Client, webhook: Webhook, receiver: Receiver
) -> None:
    receiver.then.append(answering(500, b"not yet"))
    accepted = post(root, f"{BASE}{webhook.pk}/ping/", {})
    assert accepted.status_code == 202
    delivery = accepted.json()["delivery"]
    assert (delivery["event"], delivery["status"], delivery["log"]) == ("ping", "waiting", [])
    deliver_all(webhook)
    (told,) = root.get(f"{BASE}{webhook.pk}/deliveries/").json()["results"]
    assert (told["id"], told["status"], told["attempts"], told["next_try"]) == (
        delivery["id"],
        "delivered",
        2,
        None,
    )
    assert [(one["status"], one["answer"]) for one in told["log"]] == [(500, "not yet"), (200, "thanks")]


def test_one_that_is_switched_off_is_not_pinged(root: Client, webhook: Webhook) -> None:
    patch(root, f"{BASE}{webhook.pk}/", {"active": False})
    refused = post(root, f"{BASE}{webhook.pk}/ping/", {})
    assert refused.status_code == 409
    assert refused.json()["detail"] == f"webhook {webhook.pk} is switched off; set active to true first"


def test_deliveries_come_by_pages_the_newest_first(root: Client, webhook: Webhook) -> None:
    image = make_image()
    for _ in range(5):
        file_order(image)
    page = root.get(f"{BASE}{webhook.pk}/deliveries/?limit=3").json()
    rest = root.get(page["next"].removeprefix("http://localhost:8000")).json()
    told = [row["id"] for row in (*page["results"], *rest["results"])]
    assert told == list(Delivery.objects.order_by("-pk").values_list("pk", flat=True))
    assert (len(told), rest["next"]) == (5, None)


def test_a_webhook_that_has_changed_is_not_deleted_by_who_has_not_seen_it(
    root: Client, webhook: Webhook
) -> None:
    path = f"{BASE}{webhook.pk}/"
    stale = root.get(path)["ETag"]
    assert patch(root, path, {"active": False}).status_code == 200
    assert root.delete(path, headers={"If-Match": stale}).status_code == 412
    assert root.delete(path, headers={"If-Match": root.get(path)["ETag"]}).status_code == 204


def test_a_deleted_webhook_is_gone_and_told_nothing_more(
    root: Client, webhook: Webhook, receiver: Receiver
) -> None:
    file_order(make_image())
    assert root.delete(f"{BASE}{webhook.pk}/").status_code == 204
    deliver_one = root.get(f"{BASE}{webhook.pk}/deliveries/")
    assert deliver_one.status_code == 404
    file_order(make_image("other"))
    assert receiver.got == []
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("role", ["viewer", "requester", "operator", None])
def test_nobody_but_admins_may(groups: None, webhook: Webhook, role: str | None) -> None:
    client = sending(token_of(somebody("ada", role))) if role else Client(REMOTE_ADDR="192.0.2.5")
    expected = 403 if role else 401
    one = f"{BASE}{webhook.pk}/"
    answers = [
        client.get(BASE),
        client.get(one),
        client.get(f"{one}deliveries/"),
        post(client, BASE, {"url": "http://127.0.0.1/", "events": ["*"]}),
        post(client, f"{one}ping/", {}),
        patch(client, one, {"active": False}),
        client.delete(one),
    ]
    assert [answer.status_code for answer in answers] == [expected] * 7
    assert Webhook.objects.get().active


@pytest.mark.parametrize("key", ["0", "99999", "9" * 30, "x", "1.0", "-1"])
def test_what_is_no_webhooks_number_is_not_found(root: Client, key: str) -> None:
    for answer in (
        root.get(f"{BASE}{key}/"),
        root.get(f"{BASE}{key}/deliveries/"),
        patch(root, f"{BASE}{key}/", {"active": True}),
        post(root, f"{BASE}{key}/ping/", {}),
        root.delete(f"{BASE}{key}/"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_requests_own_webhook_is_not_among_them(root: Client, receiver: Receiver) -> None:

    file_order(make_image(), webhook=Target(receiver.url, new_secret()))
    assert root.get(BASE).json()["results"] == []
    assert root.get(f"{BASE}{Webhook.objects.get().pk}/").status_code == 404
