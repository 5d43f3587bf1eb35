"""What became of installing an image on a device, and what inventories said when they were read."""

from django.db import models

from devices.models import Device, Image
from lifeguard.bulk.models import Batch, BatchItem  # noqa: F401 - Django finds models here only

# SQLite has no index for what Django makes of `succeeded=False` there.
FAILED = models.Q(succeeded__in=[False])


class Install(models.Model):
    """One attempt to bring an image onto a device, as a request or an operator asked for it.

    `config_digest` tells apart builds of one image (SHA-256 of the boot config, hex). Times are those of
    the database.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="installs")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="installs")
    config_digest = models.CharField(max_length=64)
    succeeded = models.BooleanField()
    healthy_before = models.BooleanField(
        help_text="The device's task before this one succeeded, or it had none."
    )
    failed_in = models.CharField(max_length=64, blank=True, default="")
    finished = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=("image", "config_digest", "finished"), name="install_evidence"),
            # With what a month of them is counted by: read alone, it halves the time.
            models.Index(fields=("finished", "image", "succeeded"), name="install_history"),
            # The few that failed, of which there is much to tell.
            models.Index(fields=("succeeded", "finished", "device"), name="install_failed"),
        )

    def __str__(self) -> str:
        return f"{self.image} on {self.device}: {'done' if self.succeeded else 'failed'}"


class InventoryReading(models.Model):
    """What a declared inventory said when a worker read it, for somebody who looks at what it would change.

    `open_for` repeats the source until it is finished: unique, so it is read once at a time. The one who reads has a
    lease. `records` is compressed JSON.
    """

    source = models.CharField(max_length=64)
    open_for = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001 - null: not open
    asked_by = models.CharField(max_length=100)
    created = models.DateTimeField(db_index=True)
    runner = models.CharField(max_length=64, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    finished = models.DateTimeField(null=True, blank=True)
    records = models.BinaryField(default=b"")
    error = models.CharField(max_length=1000, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.source}, read for {self.asked_by}"
