"""What happened, line by line; never changed, dropped after its time."""

from datetime import UTC, datetime

from django.db import models
from django.utils import timezone


class Source(models.TextChoices):
    """Where a line comes from."""

    MACHINE = "machine", "state machine"
    SYSLOG = "syslog", "syslog"
    AGENT = "agent", "agent"
    USER = "user", "user"
    API = "api", "API"


# Says nothing, but has MariaDB walk along the index: without a range of times it sorts the whole table first.
BEFORE_ALL = datetime(1970, 1, 2, tzinfo=UTC)


class Journal(models.Model):
    """A line about a device, a request, or both. Plain ids, no foreign keys: MySQL partitions it by day."""

    time = models.DateTimeField(default=timezone.now)
    device_id = models.PositiveBigIntegerField(null=True)
    request_id = models.PositiveBigIntegerField(null=True)
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.MACHINE)
    actor = models.CharField(max_length=100, blank=True, default="")
    event = models.CharField(max_length=64, blank=True, default="")
    from_state = models.CharField(max_length=64, blank=True, default="")
    to_state = models.CharField(max_length=64, blank=True, default="")
    message = models.CharField(max_length=500)

    class Meta:
        verbose_name_plural = "journal"
        indexes = (
            models.Index(fields=("device_id", "time", "id"), name="journal_device"),
            models.Index(fields=("request_id", "time", "id"), name="journal_request"),
            models.Index(fields=("time", "id"), name="journal_moment"),
        )

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M:%S} {self.message}"
