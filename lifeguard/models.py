"""What became of installing an image on a device: evidence for telling bad images from bad devices."""

from django.db import models

from devices.models import Device, Image
from lifeguard.bulk.models import Batch, BatchItem  # noqa: F401 - Django finds models here only


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
        )

    def __str__(self) -> str:
        return f"{self.image} on {self.device}: {'done' if self.succeeded else 'failed'}"
