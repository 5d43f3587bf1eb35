"""What the page of a device shows beside its form: the latest of its journal, its operations, and who has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bmm.models import HandTask, Operation
from devices.models import Device, Journal
from devices.models.journal import Source
from lifeguard.models import Install
from requests_app.models import Request

_LINES = 25
_OPERATIONS = 10
_INSTALLS = 5
_BY_PEOPLE = 100


@dataclass(frozen=True)
class Story:
    """The latest of a device, newest first. `holder` is the request that has it; `task` waits for a person."""

    lines: Sequence[Journal]
    operations: Sequence[Operation]
    installs: Sequence[Install]
    holder: Request | None
    task: HandTask | None


def story_of(device: Device) -> Story:
    """Look it up: five queries at most, each along an index."""
    holder = None
    if device.held_by is not None:
        holder = Request.objects.select_related("image").filter(pk=device.held_by).first()
    operations: Any = Operation.objects.filter(device=device.pk).select_related("controller")
    installs = Install.objects.filter(device=device.pk).select_related("image")
    return Story(
        lines=list(Journal.objects.filter(device_id=device.pk).order_by("-time", "-id")[:_LINES]),
        operations=list(operations.order_by("-pk")[:_OPERATIONS]),
        installs=list(installs.order_by("-pk")[:_INSTALLS]),
        holder=holder,
        task=HandTask.objects.filter(open_for=device.pk).select_related("controller").first(),
    )


def by_people(device: Device) -> list[Journal]:
    """Give the latest hundred lines of a device's journal that people and programs caused, newest first."""
    lines = Journal.objects.filter(device_id=device.pk, source__in=(Source.USER, Source.API))
    return list(lines.order_by("-time", "-id")[:_BY_PEOPLE])
