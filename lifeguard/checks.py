"""System checks: doorbells that are rung from here and below must be tasks, and images must have sensible times.

What reads the database runs with `manage.py check --database default`, and before `manage.py migrate`.
"""

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name
from django.db import connections

from bmm.models import Kind
from bmm.operations import RUN_TASK, TIMES
from devices.models import Image
from devices.models.image import OWN_IMAGES, Verification
from lifeguard.bounds import OF_THE_IMAGE, facts_of, task_seconds
from lifeguard.inventory_readings import READ_TASK
from lifeguard.machine import SYNC_TASK
from lifeguard.pulse.timers import TIMER_TASK
from lifeguard.states import EVIDENCE_FOR
from mozpool_site.checks import tasks_exist

DOORBELLS = (RUN_TASK, SYNC_TASK, TIMER_TASK, READ_TASK)


@register
def doorbells(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Give an error for each doorbell that nobody would hear."""
    return tasks_exist(DOORBELLS)


@register(Tags.database)
def images(app_configs: Any = None, databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Give a warning for each image whose columns keep its faults from being told apart, or reported at all."""
    return [warning for alias in databases or () if _has_images(alias) for warning in _warnings(alias)]


def _warnings(alias: str) -> Iterator[CheckMessage]:
    kinds = {Verification.AGENT: Kind.VERIFY_AGENT, Verification.TCP: Kind.VERIFY_PORT}
    # Only what the first release had: a migration that is about to run may add other columns.
    rows = Image.objects.using(alias).exclude(name__in=OWN_IMAGES).only("name", *OF_THE_IMAGE)
    for image in rows.order_by("name"):
        kind = kinds.get(Verification(image.verification))
        if kind is not None and image.verify_timeout < TIMES[kind].deadline:
            told = f"one check may take {TIMES[kind].deadline:g} s, but verify_timeout is {image.verify_timeout} s"
            yield Warning(f"image {image.name}: {told}", hint="Raise verify_timeout.", id="lifeguard.W001")
        worst = task_seconds(facts_of(image))
        longest = min(settings.MOZPOOL_MAX_DURATION, EVIDENCE_FOR.total_seconds())
        if worst > longest:
            told = f"a device may take {timedelta(seconds=round(worst))} to give it up"
            told += f", but no request or evidence lasts longer than {timedelta(seconds=round(longest))}"
            hint = "Lower its timeouts and limits, or it can't be reported as bad."
            yield Warning(f"image {image.name}: {told}", hint=hint, id="lifeguard.W002")


def _has_images(alias: str) -> bool:
    return Image._meta.db_table in connections[alias].introspection.table_names()
