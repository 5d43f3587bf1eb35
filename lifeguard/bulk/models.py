"""A batch: one action that somebody asked for over many devices, and what became of it on each."""

from django.db import models

from devices.models import Device


class Progress(models.TextChoices):
    """How far a batch has come with one device."""

    WAITING = "waiting", "waits its turn"
    ASKED = "asked", "under way"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    REFUSED = "refused", "refused"
    CALLED_OFF = "called_off", "called off"


# What is still to come, and what may be asked for again.
UNSETTLED = (Progress.WAITING, Progress.ASKED)
UNSUCCESSFUL = (Progress.FAILED, Progress.REFUSED, Progress.CALLED_OFF)


class Batch(models.Model):
    """Who asked for what, when and why. `finished` is null while anything of it is still to come.

    `arguments` is what the verb takes, as JSON; a `boot_config` in it is as secret as that of a request. The actor's
    three columns are an Actor: each device's journal and audit trail name whoever asked, not who carried it out.
    """

    verb = models.CharField(max_length=32)
    arguments = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    actor = models.CharField(max_length=150)
    source = models.CharField(max_length=16)
    address = models.CharField(max_length=45, blank=True, default="")
    created = models.DateTimeField()
    finished = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=150, blank=True, default="")
    total = models.PositiveIntegerField(help_text="How many devices it is for.")
    again_of = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="tried_again",
        help_text="The batch whose failed devices this one tries again.",
    )
    key = models.CharField(  # noqa: DJ001 - unique, so rows without one need null
        max_length=64,
        null=True,
        unique=True,
        default=None,
        help_text="Of the form that started it: sent twice, it is started once.",
    )

    class Meta:
        verbose_name = "bulk action"
        indexes = (models.Index(fields=("finished", "id"), name="batch_finished"),)

    def __str__(self) -> str:
        return f"bulk action {self.pk}: {self.verb} of {self.total} devices"


class BatchItem(models.Model):
    """One device of a batch.

    `expected` is the state that a forced change starts from. `operation` is the number of the hardware work that was
    begun (no foreign key: those rows are forgotten sooner), `task_seq` the device's when it was asked.
    """

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="batch_items")
    progress = models.CharField(max_length=12, choices=Progress.choices, default=Progress.WAITING)
    expected = models.CharField(max_length=64, blank=True, default="")
    operation = models.PositiveBigIntegerField(null=True, blank=True)
    task_seq = models.PositiveBigIntegerField(null=True, blank=True)
    asked = models.DateTimeField(null=True, blank=True)
    ended = models.DateTimeField(null=True, blank=True)
    message = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        verbose_name = "device of a bulk action"
        verbose_name_plural = "devices of bulk actions"
        constraints = (models.UniqueConstraint(fields=("batch", "device"), name="once_in_a_batch"),)
        indexes = (models.Index(fields=("batch", "progress", "id"), name="batch_progress"),)

    def __str__(self) -> str:
        return f"{self.device} in bulk action {self.batch_id}: {self.progress}"
