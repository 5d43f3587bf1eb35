"""System check of the doorbells that are rung from here and below: each must be a task."""

from typing import Any

from django.core.checks import CheckMessage, register

from bmm.operations import RUN_TASK
from lifeguard.inventory_readings import READ_TASK
from lifeguard.machine import SYNC_TASK
from lifeguard.pulse import TIMER_TASK
from mozpool_site.checks import tasks_exist

DOORBELLS = (RUN_TASK, SYNC_TASK, TIMER_TASK, READ_TASK)


@register
def doorbells(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Give an error for each doorbell that nobody would hear."""
    return tasks_exist(DOORBELLS)
