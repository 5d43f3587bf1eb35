"""The outbox as a queue: who is due, claims, outcomes, retention. The rows are what counts.

A claim is one conditional UPDATE, and its lease is `not_before` itself: who dies leaves a row that falls due again. A
webhook is told of one subject in order, for only the earliest that waits may be claimed.
"""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from devices import journal
from mozpool_site import clock
from mozpool_site.slices import delete_some
from mozpool_site.transactions import retrying
from requests_app.webhooks.models import Attempt, Delivery, Status, Webhook
from requests_app.webhooks.sending import Answer

logger = logging.getLogger(__name__)

# Longer than a try may take with a slow look-up of its name, so that two couriers rarely send the same.
LEASE = timedelta(seconds=60)
KEEP = timedelta(days=7)
_HEADS = 8
# Webhooks with something waiting that one look goes through; there are threads for eight.
_LOOKED_AT = 64
_SLICE = 1000
# Characters of an answer or an error that the log keeps.
_LONGEST_TEXT = 200
_JITTER = (0.75, 1.25)


@dataclass(frozen=True)
class Patience:
    """How failures are met: pauses double from `first` to `longest` for a delivery, and from `pause` for a webhook.

    A webhook pauses as a whole after `failures` tries in a row that failed, whatever they were about; it is given up
    after `deaths` deliveries in a row were.
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)
    failures: int = 5
    pause: timedelta = timedelta(seconds=10)
    longest_pause: timedelta = timedelta(minutes=10)
    deaths: int = 3


PATIENCE = Patience()


def served(now: datetime) -> QuerySet[Webhook]:
    """Select webhooks to which something may be sent now."""
    awake = Q(paused_until=None) | Q(paused_until__lte=now)
    return Webhook.objects.filter(awake, active=True, dead_since=None)


def webhooks_due(now: datetime) -> list[int]:
    """Give webhooks that have something due, each found by a step along an index.

    A receiver that was away for a day has hundreds of thousands of rows waiting, which no look may read. It begins
    anywhere, so that among very many webhooks none is passed over for ever.
    """
    start = random.randint(0, Webhook.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)  # noqa: S311 - chance, not secrecy
    waiting = Delivery.objects.filter(status=Status.WAITING)
    found: list[int] = []
    for part, last in (
        (waiting.filter(webhook_id__gt=start), start),
        (waiting.filter(webhook_id__lte=start), 0),
    ):
        rows, after = part.order_by("webhook_id").values_list("webhook_id", flat=True), last
        while len(found) < _LOOKED_AT:
            webhook_id = rows.filter(webhook_id__gt=after).first()
            if webhook_id is None:
                break
            found.append(webhook_id)
            after = webhook_id
    awake = list(served(now).filter(pk__in=found).values_list("pk", flat=True)) if found else []
    due = waiting.filter(not_before__lte=now).order_by("not_before")
    return [pk for pk in awake if due.filter(webhook=pk)[:1].exists()]


def claim_next(webhook_id: int, now: datetime) -> Delivery | None:
    """Claim a delivery that is due and of whose subject none waits before it; None when there is none."""
    earlier = Delivery.objects.filter(
        webhook=OuterRef("webhook"), subject=OuterRef("subject"), status=Status.WAITING, pk__lt=OuterRef("pk")
    )
    due = Delivery.objects.filter(status=Status.WAITING, webhook=webhook_id, not_before__lte=now)
    for delivery in due.filter(~Exists(earlier)).order_by("not_before")[:_HEADS]:
        if _claim(delivery, now):
            return delivery
    return None


@retrying
def _claim(delivery: Delivery, now: datetime) -> bool:
    unclaimed = Delivery.objects.filter(
        pk=delivery.pk, status=Status.WAITING, attempts=delivery.attempts, not_before=delivery.not_before
    )
    if unclaimed.update(attempts=F("attempts") + 1, not_before=now + LEASE) != 1:
        return False
    delivery.attempts += 1
    return True


def settle(delivery: Delivery, answer: Answer, patience: Patience) -> None:
    """Store how a try went, and what follows from it for the delivery and its webhook."""
    dead = _settle(delivery, answer, patience)
    if dead:
        bury(delivery.webhook_id)


@retrying
def _settle(delivery: Delivery, answer: Answer, patience: Patience) -> bool:
    """Store one try; True when the webhook was given up."""
    now = clock.now()
    webhook = Webhook.objects.select_for_update().filter(pk=delivery.webhook_id).first()
    if webhook is None or not _close(delivery, answer, patience, now):
        return False
    Attempt.objects.create(
        delivery_id=delivery.pk,
        time=now,
        status=answer.status,
        milliseconds=answer.milliseconds,
        answer=_without(webhook.secret, answer.text),
        error=_without(webhook.secret, answer.error),
    )
    if answer.delivered:
        _note_success(webhook)
        return False
    return _note_failure(webhook, delivery, answer, patience, now)


def _close(delivery: Delivery, answer: Answer, patience: Patience, now: datetime) -> bool:
    """Move a delivery on; False when somebody else has meanwhile."""
    waiting = Delivery.objects.filter(pk=delivery.pk, status=Status.WAITING)
    if answer.delivered:
        # Also when our lease ran out: it has arrived, whoever tries it now.
        return waiting.update(status=Status.DELIVERED, finished=now) == 1
    ours = waiting.filter(attempts=delivery.attempts)
    if now >= delivery.give_up or answer.gone:
        delivery.status = Status.DEAD
        return ours.update(status=Status.DEAD, finished=now) == 1
    pause = _pause(patience.first, patience.longest, delivery.attempts)
    return ours.update(not_before=now + pause) == 1


def _note_success(webhook: Webhook) -> None:
    if webhook.failures or webhook.deaths or webhook.paused_until:
        webhook.failures, webhook.deaths, webhook.paused_until = 0, 0, None
        webhook.save(update_fields=("failures", "deaths", "paused_until"))


def _note_failure(
    webhook: Webhook, delivery: Delivery, answer: Answer, patience: Patience, now: datetime
) -> bool:
    """Count a failure; pause or give up the webhook where there were many. True when it was given up now."""
    webhook.failures += 1
    webhook.deaths += delivery.status == Status.DEAD
    if webhook.failures >= patience.failures:
        rounds = webhook.failures - patience.failures + 1
        webhook.paused_until = now + _pause(patience.pause, patience.longest_pause, rounds)
    dies = webhook.dead_since is None and (answer.gone or webhook.deaths >= patience.deaths)
    if dies:
        how = answer.error or f"its last answer was {answer.status}"
        why = (
            "the receiver answered 410 Gone" if answer.gone else f"{webhook.deaths} messages in a row: {how}"
        )
        webhook.dead_since, webhook.dead_reason = now, _without(webhook.secret, why)
        logger.warning("%s is given up: %s", webhook, webhook.dead_reason)
        line = journal.line(
            f"{webhook} is given up: {webhook.dead_reason}",
            now,
            request_id=webhook.request_id,
            event="webhook",
        )
        journal.append([line])
    webhook.save(update_fields=("failures", "deaths", "paused_until", "dead_since", "dead_reason"))
    return dies


def bury(webhook_id: int) -> None:
    """Give up all that still waits for a webhook, in slices, so that no writer waits long."""
    waiting = Delivery.objects.filter(status=Status.WAITING, webhook=webhook_id).order_by()
    while keys := list(waiting.values_list("pk", flat=True)[:_SLICE]):
        Delivery.objects.filter(pk__in=keys, status=Status.WAITING).update(
            status=Status.DEAD, finished=clock.now()
        )


def prune_some(now: datetime) -> int:
    """Forget some deliveries, with their log, a week after they ended, then webhooks of requests; return how many.

    Each selection goes along an index, and so does the one of what deleted webhooks have left.
    """
    old = now - KEEP
    ended = Delivery.objects.filter(finished__lt=old).order_by("finished")
    told = Webhook.objects.filter(request__ended__lt=old).exclude(
        Exists(Delivery.objects.filter(webhook=OuterRef("pk")))
    )
    return delete_some(ended) + _forget_waiting(old) + delete_some(told.order_by("pk"))


def _forget_waiting(old: datetime) -> int:
    """Forget what waits, though its webhook was deleted, or switched off until a week after its time."""
    waiting = Delivery.objects.filter(status=Status.WAITING)
    webhooks = set(waiting.order_by().values_list("webhook_id", flat=True).distinct())
    gone = webhooks - set(Webhook.objects.filter(pk__in=webhooks).values_list("pk", flat=True))
    off = Webhook.objects.filter(Q(active=False) | Q(dead_since__isnull=False), pk__in=webhooks)
    late = waiting.filter(webhook__in=list(off.values_list("pk", flat=True)), give_up__lt=old)
    return delete_some(waiting.filter(webhook__in=gone).order_by()) + delete_some(late.order_by())


def _pause(first: timedelta, longest: timedelta, number: int) -> timedelta:
    """Double the pause with each failure; chance parts those that failed together."""
    doubled: int = 2 ** min(number - 1, 20)
    return min(longest, first * doubled) * random.uniform(*_JITTER)  # noqa: S311 - parts rivals, guards nothing


def _without(secret: str, text: str) -> str:
    """Take out the secret, should a receiver send it back."""
    return (text.replace(secret, "(secret)") if secret else text)[:_LONGEST_TEXT]
