"""Celery's settings exist in the installed Celery, and its queues are the racks' only."""

from typing import Any

import pytest
from celery.app.defaults import DEFAULTS
from celery.exceptions import QueueNotFound
from django.conf import settings

from mozpool_site.celery import app


def test_every_celery_setting_is_one_that_celery_knows() -> None:
    ours = [name for name in dir(settings) if name.startswith("CELERY_")]
    assert len(ours) > 20
    assert [name for name in ours if name.removeprefix("CELERY_").lower() not in DEFAULTS] == []


def test_the_row_is_the_truth_so_messages_are_early_unretried_and_unanswered() -> None:
    conf: Any = app.conf
    assert conf.task_acks_late is False
    assert conf.task_ignore_result is True
    assert conf.result_backend is None
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_publish_retry is False
    assert conf.task_create_missing_queues is False
    assert conf.broker_connection_max_retries is None
    assert conf.accept_content == ["json"]
    assert conf.broker_transport_options["socket_timeout"] == 0.5
    assert conf.broker_transport_options["socket_connect_timeout"] == 0.5


def test_a_rack_has_a_queue_without_being_listed() -> None:
    queue = app.amqp.queues["rack.p1-west"]
    assert (queue.name, queue.routing_key, queue.exchange.name) == ("rack.p1-west", "rack.p1-west", "")


@pytest.mark.parametrize(
    "name", ["celery", "rack.", "rack", "rack.a b", "rack.a,b", "rack.-x", "RACK.a", "rack.a\n"]
)
def test_no_other_queue_exists(name: str) -> None:
    with pytest.raises(KeyError):
        app.amqp.queues[name]


def test_a_task_without_a_queue_is_refused_by_name() -> None:
    with pytest.raises(QueueNotFound, match=r"task lab\.test was sent without a queue"):
        app.send_task("lab.test")
