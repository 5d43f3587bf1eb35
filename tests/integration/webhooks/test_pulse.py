"""The pulse sets couriers to work: a slow receiver delays no beat, and a killed pulse loses no message."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from mozpool_site import clock
from requests_app.webhooks.models import Delivery, Status, Webhook
from requests_app.webhooks.services import subscribe
from tests.beats import pool_beats
from tests.factories import file_order, make_image, make_rack
from tests.integration.webhooks.conftest import ROOT
from tests.integration.webhooks.receiver import Receiver, hanging
from tests.integration.webhooks.times import until
from tests.servers.process import die_with_parent

pytestmark = pytest.mark.django_db(transaction=True)
CHECKOUT = Path(__file__).resolve().parents[3]


def database_url() -> str:
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    user = f"{settings['USER']}:{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else settings["USER"]
    return f"mysql://{user}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


def start_pulse(*options: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "MOZPOOL_DEBUG": "true",
        "DATABASE_URL": database_url(),
        "MOZPOOL_WEBHOOK_HOSTS": "127.0.0.1",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "pulse", "--no-bells", *options],
        cwd=CHECKOUT,
        env=environment,
        preexec_fn=die_with_parent(),
    )


def test_a_beat_sends_what_waits(webhook: Webhook, receiver: Receiver) -> None:
    file_order(make_image())
    pulse = pool_beats()
    pulse.beat(clock.now())
    until(lambda: Delivery.objects.get().status == Status.DELIVERED)
    pulse.stop()
    assert receiver.events == ["request.finding_device"]


def test_receivers_that_hang_delay_neither_the_beat_nor_others(webhook: Webhook, receiver: Receiver) -> None:
    image = make_image()
    with Receiver(otherwise=hanging) as silent:
        hung = subscribe(url=silent.url, events=["request.*"], by=ROOT)
        for _ in range(6):
            file_order(image)
        pulse = pool_beats()
        slowest = 0.0

        def others_are_told() -> bool:
            nonlocal slowest
            begun = time.monotonic()
            pulse.beat(clock.now())
            slowest = max(slowest, time.monotonic() - begun)
            return len(receiver.got) == 6

        until(others_are_told)
        # Two threads at most hang with it.
        assert 1 <= len(silent.got) <= 2
        assert slowest < 2.0
        assert Delivery.objects.filter(webhook=hung, status=Status.WAITING).count() == 6
        silent.over.set()
        pulse.stop()


def test_two_pulses_at_once_send_each_message_once(webhook: Webhook, receiver: Receiver) -> None:
    make_rack()
    image = make_image()
    for _ in range(30):
        file_order(image)
    pulses = [start_pulse(), start_pulse()]
    try:
        until(lambda: not Delivery.objects.filter(status=Status.WAITING).exists(), seconds=40)
    finally:
        for pulse in pulses:
            pulse.send_signal(signal.SIGTERM)
        assert [pulse.wait(40) for pulse in pulses] == [0, 0]
    assert len(receiver.got) == len({got.headers["webhook-id"] for got in receiver.got}) == 30
    assert all(got.is_signed_with(webhook.secret) for got in receiver.got)


def test_a_pulse_killed_in_the_middle_of_a_delivery_loses_nothing(
    webhook: Webhook, receiver: Receiver
) -> None:
    make_rack()
    receiver.then.append(hanging)
    # Committed by us, who send nothing: as if the web process had died right after the commit.
    file_order(make_image())
    pulse = start_pulse()
    until(lambda: receiver.got, seconds=40)
    pulse.kill()
    assert pulse.wait(10) == -signal.SIGKILL
    assert Delivery.objects.get().status == Status.WAITING
    # The claim of the dead one runs out, and so does its hold on the pool.
    Delivery.objects.update(not_before=clock.now())
    time.sleep(4.5)
    pulse = start_pulse("--once")
    assert pulse.wait(60) == 0
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == (Status.DELIVERED, 2)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
