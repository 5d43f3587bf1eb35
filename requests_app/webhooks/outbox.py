"""Writes what webhooks are to be told, in the transaction of the change itself: neither is there without the other.

Whoever files a request pays nothing where nobody listens: who does is remembered for a second, and a request's own
row says whether it has a webhook.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings

from devices.models import Device
from lifeguard.states import DEVICE
from requests_app.models import Request
from requests_app.states import REQUEST
from requests_app.webhooks import bodies
from requests_app.webhooks.events import event_name, matches
from requests_app.webhooks.models import Delivery, Webhook

# A receiver that is away for a night misses nothing.
GIVE_UP_AFTER = timedelta(hours=24)
_REMEMBERED_SECONDS = 1.0

_known: tuple[tuple[int, tuple[str, ...]], ...] = ()
_known_until = 0.0


def tell_of_request(request: Request, old_state: str, now: datetime) -> None:
    """Store that a request has entered a state; belongs into the transaction in which it does."""
    if not settings.MOZPOOL_WEBHOOK_HOSTS or request.state == old_state:
        return
    event = event_name(REQUEST, request.state)
    listeners = _listeners(event)
    if request.has_webhook:
        own = Webhook.objects.filter(request_id=request.pk, active=True, dead_since=None)
        listeners += own.values_list("pk", flat=True)
    _store(listeners, f"request:{request.pk}", event, now, old_state, lambda: _of_request(request))


def tell_of_device(device: Device, old_state: str, now: datetime) -> None:
    """Store that a device has entered a state; belongs into the transaction in which it does."""
    if not settings.MOZPOOL_WEBHOOK_HOSTS or device.state == old_state:
        return
    event = event_name(DEVICE, device.state)
    _store(_listeners(event), f"device:{device.pk}", event, now, old_state, lambda: _of_device(device))


def deliver(webhook_id: int, subject: str, event: str, now: datetime, told: dict[str, object]) -> Delivery:
    """Make a row for one webhook, unsaved."""
    message_id = f"msg_{uuid4().hex}"
    return Delivery(
        webhook_id=webhook_id,
        message_id=message_id,
        subject=subject,
        event=event,
        body=bodies.text(message_id, event, now, told),
        created=now,
        not_before=now,
        give_up=now + GIVE_UP_AFTER,
    )


def forget() -> None:
    """Look anew for who listens the next time."""
    global _known_until  # noqa: PLW0603 - one memory per process is the point
    _known_until = 0.0


def _listeners(event: str) -> list[int]:
    """Give the webhooks of the pool that want an event, as of at most a second ago."""
    global _known, _known_until  # noqa: PLW0603 - see above
    if time.monotonic() >= _known_until:
        listening = Webhook.objects.filter(request=None, active=True, dead_since=None).order_by("pk")
        _known = tuple((pk, tuple(events)) for pk, events in listening.values_list("pk", "events"))
        _known_until = time.monotonic() + _REMEMBERED_SECONDS
    return [pk for pk, patterns in _known if matches(patterns, event)]


def _store(
    listeners: Iterable[int],
    subject: str,
    event: str,
    now: datetime,
    old_state: str,
    describe: Callable[[], dict[str, object]],
) -> None:
    if not listeners:
        return
    told = {"from_state": old_state or None, **describe()}
    Delivery.objects.bulk_create(deliver(pk, subject, event, now, told) for pk in listeners)


def _of_request(request: Request) -> dict[str, object]:
    return {"request": bodies.request_object(request)}


def _of_device(device: Device) -> dict[str, object]:
    return {"device": bodies.device_object(device)}
