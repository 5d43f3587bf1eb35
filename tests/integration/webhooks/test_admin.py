"""The admin's pages of webhooks: what they take, what they refuse, and that no secret ever comes out of them."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from requests_app.webhooks.models import Attempt, Delivery, Status, Webhook
from requests_app.webhooks.targets import Target, new_secret
from tests.factories import file_order, make_image
from tests.integration.admin.pages import errors, load, send
from tests.integration.webhooks.receiver import Receiver, answering
from tests.integration.webhooks.times import a_day_later, deliver_all

pytestmark = pytest.mark.django_db(transaction=True)
BASE = "/admin/requests_app"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create(username="root", is_superuser=True, is_staff=True, password="!"))
    return client


def test_a_webhook_is_added_with_a_secret_that_no_page_shows(admin: Client, receiver: Receiver) -> None:
    secret = new_secret()
    sent = {"url": receiver.url, "secret": secret, "events": '["request.*"]', "active": "on"}
    response = send(admin, f"{BASE}/webhook/add/", sent)
    assert response.status_code == 302, errors(response)
    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.secret, webhook.events) == (receiver.url, secret, ["request.*"])
    file_order(make_image())
    deliver_all(webhook)
    assert receiver.got[0].is_signed_with(secret)
    delivery = Delivery.objects.get()
    for page in (
        f"{BASE}/webhook/", f"{BASE}/webhook/{webhook.pk}/change/", f"{BASE}/webhook/{webhook.pk}/history/",
        f"{BASE}/delivery/", f"{BASE}/delivery/{delivery.pk}/change/", f"{BASE}/attempt/", "/admin/",
    ):  # fmt: skip
        shown = admin.get(page)
        assert shown.status_code == 200, page
        assert secret not in shown.content.decode()


def test_a_change_without_a_secret_keeps_the_one_that_is_there(admin: Client, webhook: Webhook) -> None:
    page = f"{BASE}/webhook/{webhook.pk}/change/"
    sent = load(admin, page)
    assert sent["secret"] == ""
    assert send(admin, page, {**sent, "events": '["device.failed"]'}).status_code == 302
    changed = Webhook.objects.get()
    assert (changed.secret, changed.events) == (webhook.secret, ["device.failed"])
    other = new_secret()
    assert send(admin, page, {**load(admin, page), "secret": other}).status_code == 302
    assert Webhook.objects.get().secret == other


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("url", "http://elsewhere.example/", "elsewhere.example is no host that MOZPOOL_WEBHOOK_HOSTS lists"),
        ("url", "ftp://127.0.0.1/", "an http or https URL in ASCII expected, without user info and fragment"),
        ("events", '["device.exploded"]', "device.exploded matches no event"),
        ("secret", "swordfish", "whsec_ and 24 to 64 random bytes in base64 expected"),
        ("secret", "", "A webhook of the pool needs a secret."),
    ],
)
def test_the_page_refuses_what_the_api_refuses(admin: Client, field: str, value: str, said: str) -> None:
    good = {"url": "http://127.0.0.1/x", "secret": new_secret(), "events": '["*"]', "active": "on"}
    response = send(admin, f"{BASE}/webhook/add/", {**good, field: value})
    assert errors(response)[field][0].startswith(said)
    assert not Webhook.objects.exists()


def test_what_was_given_up_is_started_and_sent_again(
    admin: Client, webhook: Webhook, receiver: Receiver
) -> None:
    receiver.otherwise = answering(500)
    image = make_image()
    for _ in range(3):
        file_order(image)
    a_day_later()
    deliver_all(webhook)
    assert Webhook.objects.get().dead_since is not None
    admin.post(f"{BASE}/webhook/", {"action": "revive", "_selected_action": [webhook.pk]})
    assert Webhook.objects.get().dead_since is None
    chosen = list(Delivery.objects.values_list("pk", flat=True))[:2]
    admin.post(f"{BASE}/delivery/", {"action": "send_again", "_selected_action": chosen})
    receiver.otherwise = answering(200)
    deliver_all(webhook)
    assert Delivery.objects.filter(status=Status.DELIVERED).count() == 2
    assert Attempt.objects.filter(status=200).count() == 2


def test_a_ping_is_sent_from_the_list(admin: Client, webhook: Webhook, receiver: Receiver) -> None:
    admin.post(f"{BASE}/webhook/", {"action": "ping", "_selected_action": [webhook.pk]})
    deliver_all(webhook)
    assert receiver.events == ["ping"]


def test_a_requests_own_webhook_can_only_be_looked_at(admin: Client, receiver: Receiver) -> None:
    secret = new_secret()
    file_order(make_image(), webhook=Target(receiver.url, secret))
    page = f"{BASE}/webhook/{Webhook.objects.get().pk}/change/"
    shown = admin.get(page)
    assert shown.status_code == 200
    assert secret not in shown.content.decode()
    assert admin.post(page, {"url": "http://127.0.0.1/other"}).status_code == 403


def test_deliveries_cannot_be_changed_or_deleted(admin: Client, webhook: Webhook) -> None:
    file_order(make_image())
    delivery = Delivery.objects.get()
    page = f"{BASE}/delivery/{delivery.pk}"
    assert admin.post(f"{page}/change/", {"body": "{}"}).status_code == 403
    assert admin.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert Delivery.objects.get().body == delivery.body


def test_the_page_of_a_deleted_webhooks_delivery_still_opens(admin: Client, webhook: Webhook) -> None:
    file_order(make_image())
    response = admin.post(f"{BASE}/webhook/{webhook.pk}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert not Webhook.objects.exists()
    assert admin.get(f"{BASE}/delivery/").status_code == 200
    assert admin.get(f"{BASE}/delivery/{Delivery.objects.get().pk}/change/").status_code == 200
