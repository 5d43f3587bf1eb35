"""A pool that may tell loopback, a receiver there, and nothing remembered from the test before."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from mozpool_site.statemachine.runner import Actor
from requests_app.webhooks import outbox
from requests_app.webhooks.models import Webhook
from requests_app.webhooks.services import subscribe
from tests.integration.webhooks.receiver import Receiver

ROOT = Actor("root", "api")


@pytest.fixture(autouse=True)
def webhooks_may_go_to_loopback(settings: Settings) -> None:
    settings.MOZPOOL_WEBHOOK_HOSTS = ("127.0.0.1",)
    outbox.forget()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
def webhook(receiver: Receiver) -> Webhook:
    """Give a webhook that hears of all requests, and of devices that fail."""
    return subscribe(url=receiver.url, events=["request.*", "device.failed"], by=ROOT)
