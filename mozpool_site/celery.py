"""The Celery application: carries doorbells between processes, never the truth (that is in the database).

A worker listens on the queues of its racks: `celery -A mozpool_site worker -Q rack.a,rack.b`. Racks are rows, so
queues cannot be listed in the settings; `RackQueues` admits any name of the form `rack.<name>` and refuses all else.
"""

import os
import re
import sys
from typing import Any

from celery import Celery
from celery.app.amqp import AMQP, Queues
from celery.exceptions import QueueNotFound
from celery.signals import worker_init
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mozpool_site.settings")

_RACK_QUEUE = re.compile(r"rack\.[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class RackQueues(Queues):
    """The queues that exist: one for each rack, made when first named."""

    def __missing__(self, name: str) -> Queue:
        """Admit `rack.<name>`; Celery reports the KeyError for any other name.

        The queue hangs on no exchange of its own: a message goes straight into its list, so that a flushed Redis, which
        has forgotten all bindings, still delivers the next doorbell.
        """
        if not _RACK_QUEUE.fullmatch(name):
            raise KeyError(name)
        queue = Queue(name, exchange=Exchange(""), routing_key=name)
        self[name] = queue
        return queue


class RackAMQP(AMQP):
    """Celery's routing with `RackQueues` in the place of its table of queues."""

    queues_cls: Any = RackQueues


def refuse_without_queue(name: str, args: Any, kwargs: Any, options: dict[str, Any], **rest: Any) -> None:
    """Route nothing, but stop a task that names no queue: there is no default one, it would go nowhere."""
    if "queue" not in options:
        msg = f"task {name} was sent without a queue; send it to the queue of a rack"
        raise QueueNotFound(msg)


app: Celery = Celery("mozpool", amqp=RackAMQP)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_routes = (refuse_without_queue,)
app.autodiscover_tasks(["devices", "bmm", "lifeguard", "requests_app"])


@worker_init.connect
def refuse_old_schema(**_: Any) -> None:
    """End a worker that can't work on its database, with one line that says why."""
    from mozpool_site import schema  # noqa: PLC0415 - needs Django, which Celery sets up first
    from mozpool_site.errors import MozpoolError  # noqa: PLC0415 - the same

    try:
        schema.demand_schema_if_reachable()
    except MozpoolError as error:
        sys.stderr.write(f"worker: {error}\n")
        raise SystemExit(error.exit_status) from None
