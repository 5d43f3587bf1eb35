"""From the outbox to a real receiver that answers, fails, hangs, closes, redirects, floods and drips."""

import re
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from devices.models import Journal
from mozpool_site import clock
from requests_app.services import return_request
from requests_app.webhooks import outbox, queue, sending
from requests_app.webhooks.courier import deliver_next
from requests_app.webhooks.models import Attempt, Delivery, Status, Webhook
from requests_app.webhooks.queue import PATIENCE
from requests_app.webhooks.services import change, ping, send_again, subscribe
from requests_app.webhooks.targets import Target, new_secret
from tests.factories import file_order, make_device, make_image
from tests.factories.requests import CLIENT
from tests.integration.threads import in_threads
from tests.integration.webhooks.conftest import ROOT
from tests.integration.webhooks.receiver import (
    Receiver,
    answering,
    closing,
    dripping_body,
    dripping_header,
    flooding,
    hanging,
)
from tests.integration.webhooks.times import HASTY, a_day_later, deliver_all

pytestmark = pytest.mark.django_db(transaction=True)


def log() -> list[tuple[int | None, str, str]]:
    return list(Attempt.objects.order_by("pk").values_list("status", "answer", "error"))


def the_delivery() -> Delivery:
    return Delivery.objects.get()


def test_a_message_arrives_signed_and_its_answer_is_logged(webhook: Webhook, receiver: Receiver) -> None:
    request = file_order(make_image())
    assert deliver_next(webhook.pk)
    (got,) = receiver.got
    assert got.is_signed_with(webhook.secret)
    assert not got.is_signed_with(new_secret())
    assert got.path == "/hook"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["mozpool-event"] == got.event == "request.finding_device"
    assert got.headers["webhook-id"] == got.body["id"] == the_delivery().message_id
    assert got.body["request"]["id"] == request.pk
    assert the_delivery().status == Status.DELIVERED
    assert log() == [(200, "thanks", "")]
    assert not deliver_next(webhook.pk)


def test_a_request_without_a_secret_gets_unsigned_messages(receiver: Receiver) -> None:
    file_order(make_image(), webhook=Target(receiver.url))
    assert deliver_next(Webhook.objects.get().pk)
    assert "webhook-signature" not in receiver.got[0].headers
    assert receiver.got[0].headers["webhook-id"].startswith("msg_")


def test_three_failures_are_retried_with_the_same_id_and_the_fourth_try_arrives(
    webhook: Webhook, receiver: Receiver
) -> None:
    receiver.then.extend([answering(500, b"ouch")] * 3)
    file_order(make_image())
    deliver_all(webhook)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert all(got.is_signed_with(webhook.secret) for got in receiver.got)
    assert log() == [(500, "ouch", "")] * 3 + [(200, "thanks", "")]
    delivery = the_delivery()
    assert (delivery.status, delivery.attempts) == (Status.DELIVERED, 4)
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.deaths, webhook.paused_until) == (0, 0, None)


def test_pauses_double_from_five_seconds_to_an_hour() -> None:
    def pause(number: int) -> float:
        return queue._pause(PATIENCE.first, PATIENCE.longest, number).total_seconds()

    for number, expected in ((1, 5), (2, 10), (5, 80), (10, 2560), (11, 3600), (1000, 3600)):
        assert expected * 0.75 <= pause(number) <= expected * 1.25


def test_a_failed_try_is_not_repeated_before_its_pause(webhook: Webhook, receiver: Receiver) -> None:
    receiver.otherwise = answering(500)
    file_order(make_image())
    assert deliver_next(webhook.pk)
    assert not deliver_next(webhook.pk)
    left = the_delivery().not_before - clock.now()
    assert timedelta(seconds=2) < left < timedelta(seconds=6.3)


def test_a_receiver_that_closes_is_tried_again(webhook: Webhook, receiver: Receiver) -> None:
    receiver.then.append(closing)
    file_order(make_image())
    deliver_all(webhook)
    (first, second) = log()
    assert first[0] is None
    assert "disconnected" in first[2].lower()
    assert second == (200, "thanks", "")


def test_nobody_there_is_a_failure_with_its_reason(webhook: Webhook) -> None:
    change(webhook.pk, {"url": "http://127.0.0.1:1/"}, by=ROOT)
    file_order(make_image())
    assert deliver_next(webhook.pk)
    assert [(status, "refused" in error.lower()) for status, _, error in log()] == [(None, True)]


def test_a_receiver_that_hangs_or_never_ends_its_header_costs_the_time_that_it_may(
    webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "READ_SECONDS", 0.4)
    monkeypatch.setattr(sending, "ALL_SECONDS", 0.8)
    receiver.then.extend([hanging, dripping_header])
    file_order(make_image())
    deliver_all(webhook)
    times = list(Attempt.objects.order_by("pk").values_list("milliseconds", flat=True))
    assert log()[:2] == [(None, "", "no answer in time")] * 2
    assert 400 <= times[0] < 800
    assert 800 <= times[1] < 1600


def test_a_redirect_is_not_followed(webhook: Webhook, receiver: Receiver) -> None:
    receiver.then.append(answering(302, Location=f"{receiver.url}/elsewhere"))
    file_order(make_image())
    deliver_all(webhook)
    assert [got.path for got in receiver.got] == ["/hook", "/hook"]
    assert log()[0] == (302, "", "redirects are not followed: give the URL that they lead to")


def test_of_a_huge_answer_only_the_beginning_is_read(webhook: Webhook, receiver: Receiver) -> None:
    receiver.then.append(flooding)
    file_order(make_image())
    assert deliver_next(webhook.pk)
    assert log() == [(200, "x" * 200, "")]
    receiver.over.wait(0.2)
    assert receiver.flood < 20_000_000
    assert the_delivery().status == Status.DELIVERED


def test_a_slow_body_changes_nothing_about_the_status(webhook: Webhook, receiver: Receiver) -> None:
    receiver.then.append(dripping_body)
    file_order(make_image())
    assert deliver_next(webhook.pk)
    ((status, answer, error),) = log()
    assert (status, error) == (200, "")
    assert re.fullmatch(r"y{5,30}", answer)
    assert Attempt.objects.get().milliseconds < 15_000


def test_of_one_subject_the_order_is_kept_while_others_pass(webhook: Webhook, receiver: Receiver) -> None:
    receiver.then.append(answering(500))
    image = make_image()
    make_device(image=image)
    first = file_order(image)
    assert deliver_next(webhook.pk)  # finding_device fails
    return_request(first.pk, by=CLIENT)
    second = file_order(image)
    while deliver_next(webhook.pk):
        pass
    # The first one's later events wait behind the one that failed; the second one's do not.
    assert {got.body["request"]["id"] for got in receiver.got[1:]} == {second.pk}
    Delivery.objects.filter(status=Status.WAITING, attempts=1).update(not_before=clock.now())
    deliver_all(webhook)
    of_first = [got.event for got in receiver.got[1:] if got.body["request"]["id"] == first.pk]
    assert of_first == ["request.finding_device", "request.pending", "request.closed"]


def test_couriers_at_the_same_moment_deliver_each_message_once_and_in_order(
    webhook: Webhook, receiver: Receiver
) -> None:
    image = make_image()
    requests = [file_order(image).pk for _ in range(10)]
    for request in requests:
        return_request(request, by=CLIENT)

    def courier(_: int) -> int:
        delivered = 0
        while Delivery.objects.filter(status=Status.WAITING).exists():
            delivered += deliver_next(webhook.pk, HASTY)
        return delivered

    delivered = in_threads(4, courier)
    assert sum(delivered) == len(receiver.got) == 20
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 20
    for request in requests:
        told = [got.event for got in receiver.got if got.body["request"]["id"] == request]
        assert told == ["request.finding_device", "request.closed"]


def test_a_claim_whose_courier_died_runs_out_and_is_sent_by_the_next(
    webhook: Webhook, receiver: Receiver
) -> None:
    file_order(make_image())
    now = clock.now()
    claimed = queue.claim_next(webhook.pk, now)
    assert claimed is not None
    assert not deliver_next(webhook.pk)
    assert the_delivery().not_before == now + queue.LEASE
    Delivery.objects.update(not_before=now)
    assert deliver_next(webhook.pk)
    assert receiver.events == ["request.finding_device"]
    assert the_delivery().attempts == 2


def test_what_a_slow_courier_brings_late_overwrites_nothing(webhook: Webhook) -> None:
    file_order(make_image())
    slow = queue.claim_next(webhook.pk, clock.now())
    assert slow is not None
    Delivery.objects.update(not_before=clock.now())
    assert deliver_next(webhook.pk)
    queue.settle(slow, sending.Answer(None, 9000, error="too late"), HASTY)
    assert the_delivery().status == Status.DELIVERED
    assert log() == [(200, "thanks", "")]


def test_after_a_day_a_message_is_given_up(webhook: Webhook, receiver: Receiver) -> None:
    receiver.otherwise = answering(503)
    file_order(make_image())
    assert the_delivery().give_up - the_delivery().created == timedelta(hours=24)
    a_day_later()
    assert deliver_next(webhook.pk)
    assert the_delivery().status == Status.DEAD
    assert not deliver_next(webhook.pk)
    webhook.refresh_from_db()
    assert (webhook.deaths, webhook.dead_since) == (1, None)


def test_after_three_given_up_messages_the_webhook_is_dead_and_says_why(
    webhook: Webhook, receiver: Receiver
) -> None:
    receiver.otherwise = answering(503)
    image = make_image()
    for _ in range(5):
        file_order(image)
    a_day_later()
    deliver_all(webhook)
    webhook.refresh_from_db()
    assert webhook.dead_since is not None
    assert webhook.dead_reason == "3 messages in a row: its last answer was 503"
    assert len(receiver.got) == 3
    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.DEAD}
    line = Journal.objects.get(event="webhook", message__contains="given up")
    assert line.message == f"webhook {webhook.pk} is given up: {webhook.dead_reason}"


def test_one_that_answers_410_is_dead_at_once_and_can_be_revived(
    webhook: Webhook, receiver: Receiver
) -> None:
    receiver.then.append(answering(410))
    file_order(make_image())
    deliver_all(webhook)
    webhook.refresh_from_db()
    assert webhook.dead_reason == "the receiver answered 410 Gone"
    webhook = change(webhook.pk, {"active": True}, by=ROOT)
    assert (webhook.dead_since, webhook.dead_reason, webhook.deaths) == (None, "", 0)
    assert send_again([the_delivery().pk]) == 1
    deliver_all(webhook)
    assert receiver.events == ["request.finding_device"] * 2


def test_a_receiver_that_fails_again_and_again_is_left_alone_for_a_while(
    webhook: Webhook, receiver: Receiver
) -> None:
    receiver.otherwise = answering(500)
    image = make_image()
    for _ in range(20):
        file_order(image)
    while deliver_next(webhook.pk):
        pass
    assert len(receiver.got) == PATIENCE.failures
    webhook.refresh_from_db()
    assert webhook.paused_until is not None
    assert queue.webhooks_due(clock.now()) == []
    assert queue.webhooks_due(webhook.paused_until) == [webhook.pk]


def test_the_secret_is_taken_out_of_an_answer_that_repeats_it(webhook: Webhook, receiver: Receiver) -> None:
    receiver.otherwise = answering(500, b"z" * 180 + webhook.secret.encode())
    file_order(make_image())
    assert deliver_next(webhook.pk)
    assert log() == [(500, "z" * 180 + "(secret)", "")]


def test_a_host_that_is_no_longer_listed_gets_nothing(
    webhook: Webhook, receiver: Receiver, settings: Settings
) -> None:
    file_order(make_image())
    settings.MOZPOOL_WEBHOOK_HOSTS = ("elsewhere.example",)
    assert deliver_next(webhook.pk)
    assert receiver.got == []
    assert log() == [(None, "", "MOZPOOL_WEBHOOK_HOSTS does not list 127.0.0.1")]


def test_a_ping_arrives_whatever_the_patterns(webhook: Webhook, receiver: Receiver) -> None:
    ping(webhook.pk, by=ROOT)
    deliver_all(webhook)
    assert receiver.events == ["ping"]
    assert receiver.got[0].body["asked_for_by"] == "root"


def test_sending_again_keeps_the_message_as_it_was(webhook: Webhook, receiver: Receiver) -> None:
    file_order(make_image())
    deliver_all(webhook)
    assert send_again([the_delivery().pk]) == 1
    deliver_all(webhook)
    assert receiver.got[0].raw == receiver.got[1].raw
    assert receiver.got[0].headers["webhook-id"] == receiver.got[1].headers["webhook-id"]


def test_a_week_after_its_end_a_message_is_forgotten_with_its_log(
    webhook: Webhook, receiver: Receiver
) -> None:
    image = make_image()
    file_order(image)
    deliver_all(webhook)
    own = file_order(image, webhook=Target(receiver.url))
    gone = subscribe(url=receiver.url, events=["*"], by=ROOT)
    ping(gone.pk, by=ROOT)
    Webhook.objects.filter(pk=gone.pk).delete()
    return_request(own.pk, by=CLIENT)
    for hook in Webhook.objects.all():
        deliver_all(hook)
    # What a deleted webhook left goes at once; all else stays.
    assert queue.prune_some(clock.now()) == 1
    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.DELIVERED}
    queue.prune_some(clock.now() + timedelta(days=7, minutes=1))
    assert (Delivery.objects.count(), Attempt.objects.count()) == (0, 0)
    assert list(Webhook.objects.all()) == [webhook]
    connections.close_all()
    assert subscribe(url=receiver.url, events=["device.*"], by=ROOT).active


def test_a_look_finds_the_due_one_however_much_waits_for_others(webhook: Webhook, receiver: Receiver) -> None:
    now = clock.now()
    away = subscribe(url=receiver.url, events=["device.*"], by=ROOT)
    Delivery.objects.bulk_create(
        outbox.deliver(away.pk, f"device:{n}", "device.ready", now, {}) for n in range(3000)
    )
    Webhook.objects.filter(pk=away.pk).update(paused_until=now + timedelta(hours=1))
    ping(webhook.pk, by=ROOT)
    with CaptureQueriesContext(connection) as captured:
        assert queue.webhooks_due(clock.now()) == [webhook.pk]
    # One for each webhook that has something waiting, and a few more: no more than that whatever waits.
    assert len(captured) <= 8


def test_each_look_begins_elsewhere_so_that_many_webhooks_all_get_their_turn(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_LOOKED_AT", 3)
    hooks = {subscribe(url=receiver.url, events=["*"], by=ROOT).pk for _ in range(12)}
    for pk in hooks:
        ping(pk, by=ROOT)
    seen: set[int] = set()
    for _ in range(400):
        seen |= set(queue.webhooks_due(clock.now()))
    assert seen == hooks
