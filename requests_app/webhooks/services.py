"""What people and programs ask of webhooks: subscribe, change, ping, send again. The audit trail tells who did."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from mozpool_site import clock
from mozpool_site.access import audit
from mozpool_site.errors import ConflictError, InvalidInputError, UnknownNameError
from mozpool_site.statemachine.runner import Actor
from mozpool_site.transactions import retrying
from requests_app.models import Request
from requests_app.webhooks import outbox
from requests_app.webhooks.events import ALL_OF_A_REQUEST, PING, check_patterns
from requests_app.webhooks.models import Delivery, Status, Webhook
from requests_app.webhooks.targets import Target, check_secret, check_url, new_secret

# What wakes a webhook that was given up: it starts as if nothing had failed.
_ALIVE: Mapping[str, Any] = {
    "failures": 0,
    "deaths": 0,
    "paused_until": None,
    "dead_since": None,
    "dead_reason": "",
}


def attach(request: Request, target: Target, now: datetime) -> Webhook:
    """Let a request's own webhook hear of it from now on; belongs into the transaction that files the request."""
    return Webhook.objects.create(
        request=request,
        url=target.url,
        secret=target.secret,
        events=list(ALL_OF_A_REQUEST),
        owner=request.owner,
        created=now,
    )


def subscribe(
    *, url: object, events: object, secret: object = None, active: bool = True, by: Actor
) -> Webhook:
    """Add a webhook of the pool; without a secret one is made. This is the last time that it can be read.

    Raises InvalidInputError. Every process heeds it within a second.
    """
    target = Target(check_url(url), new_secret() if secret is None else check_secret(secret))
    patterns = check_patterns(events)

    @retrying
    def transact() -> Webhook:
        webhook = Webhook.objects.create(
            url=target.url,
            secret=target.secret,
            events=patterns,
            active=active,
            owner=by.name[:100],
            created=clock.now(),
        )
        audit.record_asked("add_webhook", "webhook", str(webhook), by=by, after=_told(webhook))
        return webhook

    webhook = transact()
    outbox.forget()
    return webhook


def change(webhook_id: int, changes: Mapping[str, object], *, by: Actor) -> Webhook:
    """Change `url`, `events`, `secret` or `active`; setting `active` to true also revives one that was given up.

    Raises InvalidInputError, and UnknownNameError where there is no such webhook.
    """
    columns = _checked(changes)

    @retrying
    def transact() -> Webhook:
        webhook = find(webhook_id, lock=True)
        before = _told(webhook)
        for name, value in columns.items():
            setattr(webhook, name, value)
        webhook.save(update_fields=list(columns))
        after = {**_told(webhook), **({"secret": True} if "secret" in changes else {})}
        audit.record_asked("change_webhook", "webhook", str(webhook), by=by, before=before, after=after)
        return webhook

    webhook = transact()
    outbox.forget()
    return webhook


def remove(webhook_id: int, *, by: Actor) -> None:
    """Delete a webhook with what it was still to be told. Raises UnknownNameError."""

    @retrying
    def transact() -> None:
        webhook = find(webhook_id, lock=True)
        audit.record_asked("delete_webhook", "webhook", str(webhook), by=by, before=_told(webhook))
        webhook.delete()

    transact()
    outbox.forget()


def ping(webhook_id: int, *, by: Actor) -> Delivery:
    """Send a webhook the event `ping`, as a trial.

    Raises UnknownNameError, and ConflictError for one that is switched off or was given up.
    """
    webhook = find(webhook_id)
    if webhook.dead_since is not None or not webhook.active:
        why = f"was given up: {webhook.dead_reason}" if webhook.dead_since else "is switched off"
        raise ConflictError(f"{webhook} {why}; set active to true first", field="active")
    now = clock.now()
    # A subject of its own each time: a trial waits behind nothing.
    delivery = outbox.deliver(webhook.pk, f"ping:{now.timestamp():.6f}", PING, now, {"asked_for_by": by.name})
    delivery.save()
    return delivery


def send_again(delivery_ids: Iterable[int]) -> int:
    """Send deliveries that have ended once more, with a day's patience; give how many. Message ids stay."""
    now = clock.now()
    ended = Delivery.objects.filter(pk__in=list(delivery_ids)).exclude(status=Status.WAITING)
    return ended.update(
        status=Status.WAITING, attempts=0, not_before=now, give_up=now + outbox.GIVE_UP_AFTER, finished=None
    )


def revive(webhook_ids: Iterable[int]) -> int:
    """Let webhooks that were given up start as if nothing had failed; give how many. What was given up stays so."""
    revived = Webhook.objects.filter(pk__in=list(webhook_ids)).exclude(dead_since=None).update(**_ALIVE)
    outbox.forget()
    return revived


def find(webhook_id: int, *, lock: bool = False) -> Webhook:
    """Give a webhook of the pool. Raises UnknownNameError."""
    webhooks = Webhook.objects.filter(request=None)
    found = (webhooks.select_for_update() if lock else webhooks).filter(pk=webhook_id).first()
    if found is None:
        raise UnknownNameError(f"there is no webhook {webhook_id}", field="id")
    return found


def _checked(changes: Mapping[str, object]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in changes.items():
        if name == "url":
            columns["url"] = check_url(value)
        elif name == "events":
            columns["events"] = check_patterns(value)
        elif name == "secret":
            columns["secret"] = check_secret(value)
        elif name == "active":
            if not isinstance(value, bool):
                raise InvalidInputError("active: true or false expected", field="active")
            columns |= {"active": value, **(_ALIVE if value else {})}
        else:
            raise InvalidInputError(
                f"{name}: no such field; there are url, events, secret, active", field=name
            )
    return columns


def _told(webhook: Webhook) -> dict[str, object]:
    """Give what the audit trail keeps. Of the URL the host alone: the rest may be a key."""
    host = urlsplit(webhook.url).hostname
    return {
        "host": host,
        "events": webhook.events,
        "active": webhook.active,
        "dead": webhook.dead_since is not None,
    }
