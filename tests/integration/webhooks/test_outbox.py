"""What webhooks are to be told is stored with the change itself, and costs nothing where nobody listens."""

import json

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from lifeguard.services import force_state
from requests_app.services import renew, return_request
from requests_app.webhooks import outbox
from requests_app.webhooks.models import Delivery, Webhook
from requests_app.webhooks.services import subscribe
from requests_app.webhooks.targets import Target, new_secret
from tests.factories import file_order, make_device, make_image
from tests.factories.requests import CLIENT
from tests.integration.webhooks.conftest import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
URL = "http://127.0.0.1:9/hook"


def told() -> list[tuple[str, str]]:
    return list(Delivery.objects.order_by("pk").values_list("subject", "event"))


def test_a_request_that_is_filed_served_and_returned_tells_each_state_once() -> None:
    subscribe(url=URL, events=["request.*"], by=ROOT)
    image = make_image()
    device = make_device(image=image)
    request = file_order(image)
    device.refresh_from_db()
    force_state(device.pk, device.state, "ready", by=CLIENT)
    renew(request.pk, 60, by=CLIENT)
    return_request(request.pk, by=CLIENT)
    subject = f"request:{request.pk}"
    assert told() == [
        (subject, "request.finding_device"),
        (subject, "request.pending"),
        (subject, "request.ready"),
        (subject, "request.closed"),
    ]


def test_the_body_describes_the_request_and_holds_no_boot_config() -> None:
    subscribe(url=URL, events=["request.pending"], by=ROOT)
    image = make_image(boot_config_keys=["token"])
    device = make_device(image=image)
    request = file_order(image, boot_config={"token": "very secret"}, tags=[])
    (delivery,) = Delivery.objects.all()
    body = json.loads(delivery.body)
    assert "very secret" not in delivery.body
    assert (body["id"], body["event"], body["from_state"]) == (
        delivery.message_id,
        "request.pending",
        "finding_device",
    )
    assert body["time"] == body["request"]["state_since"]
    assert body["request"]["id"] == request.pk
    assert body["request"]["state"] == "pending"
    assert body["request"]["device"]["name"] == body["request"]["last_device"] == device.name
    assert body["request"]["url"] == f"http://localhost:8000/api/v2/requests/{request.pk}/"
    assert "boot_config" not in body["request"]


def test_a_device_that_fails_is_told_by_one_name_and_the_body_says_how() -> None:
    subscribe(url=URL, events=["device.failed"], by=ROOT)
    device = make_device()
    force_state(device.pk, "ready", "troubleshooting", by=CLIENT)
    force_state(device.pk, "troubleshooting", "failed_pxe_booting", by=CLIENT)
    (delivery,) = Delivery.objects.all()
    body = json.loads(delivery.body)
    assert (delivery.subject, delivery.event) == (f"device:{device.pk}", "device.failed")
    assert (body["device"]["name"], body["device"]["state"]) == (device.name, "failed_pxe_booting")
    assert body["from_state"] == "troubleshooting"


def test_a_device_that_stays_in_its_state_is_no_news() -> None:
    subscribe(url=URL, events=["device.*"], by=ROOT)
    device = make_device()
    force_state(device.pk, "ready", "ready", by=CLIENT)
    assert told() == []


def test_a_change_that_is_undone_is_not_told() -> None:
    subscribe(url=URL, events=["*"], by=ROOT)
    device = make_device()
    with transaction.atomic():
        force_state(device.pk, "ready", "troubleshooting", by=CLIENT)
        assert told() == [(f"device:{device.pk}", "device.troubleshooting")]
        transaction.set_rollback(True)
    assert told() == []


def test_a_requests_own_webhook_hears_of_that_request_alone() -> None:
    image = make_image()
    make_device(image=image)
    mine = file_order(image, webhook=Target(URL, new_secret()))
    file_order(image)
    hook = Webhook.objects.get()
    assert hook.request_id == mine.pk
    return_request(mine.pk, by=CLIENT)
    assert told() == [
        (f"request:{mine.pk}", "request.finding_device"),
        (f"request:{mine.pk}", "request.pending"),
        (f"request:{mine.pk}", "request.closed"),
    ]
    assert set(Delivery.objects.values_list("webhook_id", flat=True)) == {hook.pk}


def test_each_webhook_gets_a_message_of_its_own() -> None:
    for pattern in ("request.*", "request.finding_device", "device.*"):
        subscribe(url=URL, events=[pattern], by=ROOT)
    file_order(make_image())
    assert [event for _, event in told()] == ["request.finding_device"] * 2
    assert len(set(Delivery.objects.values_list("message_id", flat=True))) == 2


def test_one_that_is_switched_off_or_given_up_hears_nothing() -> None:
    subscribe(url=URL, events=["*"], active=False, by=ROOT)
    given_up = subscribe(url=URL, events=["*"], by=ROOT)
    Webhook.objects.filter(pk=given_up.pk).update(dead_since=given_up.created)
    outbox.forget()
    file_order(make_image())
    assert told() == []


def test_a_webhook_that_was_deleted_a_moment_ago_breaks_no_step() -> None:
    hook = subscribe(url=URL, events=["*"], by=ROOT)
    device = make_device()
    force_state(device.pk, "ready", "troubleshooting", by=CLIENT)
    Webhook.objects.filter(pk=hook.pk).delete()
    # This process still believes in it.
    force_state(device.pk, "troubleshooting", "ready", by=CLIENT)
    device.refresh_from_db()
    assert device.state == "ready"


def test_filing_costs_no_query_more_while_nobody_listens(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_REMEMBERED_SECONDS", 300.0)
    image = make_image()
    settings.MOZPOOL_WEBHOOK_HOSTS = ()
    file_order(image)
    with CaptureQueriesContext(connection) as without:
        file_order(image)
    settings.MOZPOOL_WEBHOOK_HOSTS = ("127.0.0.1",)
    file_order(image)  # who listens is remembered from here on
    with CaptureQueriesContext(connection) as with_hosts:
        file_order(image)
    assert len(with_hosts) == len(without)


def test_without_listed_hosts_nothing_is_stored(settings: Settings) -> None:
    subscribe(url=URL, events=["*"], by=ROOT)
    settings.MOZPOOL_WEBHOOK_HOSTS = ()
    file_order(make_image(), webhook=None)
    assert told() == []
