"""How far the questions to power controllers are, and what they found, as the database knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bmm.models import OPEN, Kind, Operation, Status
from devices.models import PowerController

# A worker takes what waits within milliseconds, and a pulse in its place within ten seconds.
_LATE = timedelta(seconds=12)
# While outlets are read again, what they read so shortly before is still shown.
_FRESH = timedelta(minutes=1)


@dataclass(frozen=True)
class Progress:
    """How far a question is: a word for its style (open, well, failed), and a sentence about its controller."""

    state: str
    words: str

    @property
    def is_open(self) -> bool:
        """Whether there is more to come."""
        return self.state == "open"


@dataclass(frozen=True)
class Reading:
    """What the outlets of a controller read. `at` is None where nothing has been read yet."""

    operation: Operation
    progress: Progress
    power: Mapping[str, bool | None] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None


def progress_of(operation: Operation, now: datetime) -> Progress:
    """Say how far a question is. Its rack is to be at hand."""
    if operation.status == Status.QUEUED:
        rack = operation.rack.name
        if now - operation.created > _LATE:
            return Progress("open", f"still waits for a worker of rack {rack}: does one run?")
        return Progress("open", f"waits for a worker of rack {rack}")
    if operation.status == Status.RUNNING:
        return Progress("open", "is being asked")
    if operation.status == Status.DONE:
        return Progress("well", operation.message)
    if operation.status == Status.SUPERSEDED:
        return Progress("failed", "was not asked: no worker of its rack was there in time")
    return Progress("failed", operation.message)


def reading_of(controller: PowerController, number: int, now: datetime) -> Reading | None:
    """Return a reading of a controller's outlets; None where it has none of that number."""
    readings = Operation.objects.filter(controller=controller, kind=Kind.READ_OUTLETS)
    operation = readings.select_related("rack").filter(pk=number).first()
    if operation is None:
        return None
    source: Operation | None = operation
    if operation.status in OPEN:
        before = readings.filter(status=Status.DONE, finished__gte=now - _FRESH, pk__lt=number)
        source = before.order_by("-pk").first()
    found = (source.found if source else None) or {}
    return Reading(
        operation,
        progress_of(operation, now),
        found.get("power", {}),
        found.get("errors", {}),
        source.finished if source and found else None,
    )
