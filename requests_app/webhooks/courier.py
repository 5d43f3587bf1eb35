"""Empties the outbox: claims what is due, posts it, stores how it went. Any number of couriers may be at it.

The pulse only hands webhooks to a few threads, so a receiver that hangs delays no beat; and it gets two of them at
most, so others are served meanwhile. Delivered at least once: a courier that is killed leaves its claim to run out.
"""

import logging
import random
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connection

from mozpool_site import clock
from mozpool_site.transactions import UNAVAILABLE
from requests_app.webhooks import queue, sending, signing
from requests_app.webhooks.models import Delivery, Webhook
from requests_app.webhooks.queue import PATIENCE, Patience

logger = logging.getLogger(__name__)

_THREADS = 8
_THREADS_OF_ONE = 2
# Then others get their turn.
_IN_ONE_GO = 50


@dataclass
class Courier:
    """Delivers in threads of its own; to be asked to `look` every second, and to `stop` at the end."""

    patience: Patience = PATIENCE
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "courier"))
    _sent: list[Future[None]] = field(default_factory=list)
    _at_work: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def look(self, now: datetime) -> None:
        """Set threads to work on webhooks that have something due; returns at once."""
        if not settings.MOZPOOL_WEBHOOK_HOSTS or self._free() == 0:
            return
        due = queue.webhooks_due(now)
        random.shuffle(due)  # who comes first is chance, so that none waits for ever
        for webhook_id in due[: self._free()]:
            with self._lock:
                if self._at_work[webhook_id] >= _THREADS_OF_ONE:
                    continue
                self._at_work[webhook_id] += 1
            self._sent = [future for future in self._sent if not future.done()]
            self._sent.append(self._pool.submit(self._serve, webhook_id))

    def stop(self, seconds: float) -> bool:
        """Let each thread end the one delivery that it has in hand; return whether all did in so many seconds."""
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        begun = [future for future in self._sent if not future.cancelled()]
        return not wait(begun, max(0.0, seconds)).not_done

    def _free(self) -> int:
        with self._lock:
            return _THREADS - self._at_work.total()

    def _serve(self, webhook_id: int) -> None:
        try:
            for _ in range(_IN_ONE_GO):
                if not deliver_next(webhook_id, self.patience) or self._stopping.is_set():
                    break
        except UNAVAILABLE as error:
            logger.warning("webhook %s: the database is away: %s", webhook_id, error)
        except Exception:
            logger.exception("webhook %s can't be served; next try in a minute", webhook_id)
        finally:
            connection.close()
            with self._lock:
                self._at_work[webhook_id] -= 1
                self._at_work += Counter()  # drops the zeros


def deliver_next(webhook_id: int, patience: Patience = PATIENCE) -> bool:
    """Claim a delivery of a webhook that is due, send it, and store how it went; False when there was none to claim."""
    now = clock.now()
    webhook = queue.served(now).filter(pk=webhook_id).first()
    delivery = queue.claim_next(webhook_id, now) if webhook else None
    if webhook is None or delivery is None:
        return False
    answer = _send(webhook, delivery, now)
    queue.settle(delivery, answer, patience)
    return True


def _send(webhook: Webhook, delivery: Delivery, now: datetime) -> sending.Answer:
    body = delivery.body.encode()
    seconds = int(now.timestamp())
    headers = signing.headers(delivery.message_id, delivery.event, body, webhook.secret, seconds)
    return sending.post(webhook.url, headers, body)
