"""Time for the tests: a hasty patience, and the waiting that a test does with it."""

import time
from collections.abc import Callable
from datetime import timedelta

from mozpool_site import clock
from requests_app.webhooks.courier import deliver_next
from requests_app.webhooks.models import Delivery, Status, Webhook
from requests_app.webhooks.queue import Patience

# As in production, only a thousand times faster.
HASTY = Patience(
    first=timedelta(milliseconds=5),
    longest=timedelta(milliseconds=50),
    pause=timedelta(milliseconds=10),
    longest_pause=timedelta(milliseconds=50),
)


def until(happened: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something has happened; fail when it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def deliver_all(webhook: Webhook, patience: Patience = HASTY, seconds: float = 20) -> None:
    """Deliver until nothing waits any more."""

    def nothing_waits() -> bool:
        while deliver_next(webhook.pk, patience):
            pass
        return not Delivery.objects.filter(webhook=webhook, status=Status.WAITING).exists()

    until(nothing_waits, seconds)


def a_day_later() -> None:
    """Let a day pass for whatever waits: it is due, and its next failure is its last."""
    Delivery.objects.filter(status=Status.WAITING).update(give_up=clock.now(), not_before=clock.now())
    Webhook.objects.update(paused_until=None)
