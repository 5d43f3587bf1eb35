"""The columns that every machine has in its row."""

from django.db import models
from django.utils import timezone

from mozpool_site.statemachine.machine import Snapshot


class MachineColumns(models.Model):
    """State and what belongs to it. Written by a runner only, never by hand."""

    state = models.CharField(max_length=64, editable=False)
    state_seq = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Raised by every move; timers and operations carry it."
    )
    state_since = models.DateTimeField(default=timezone.now, editable=False)
    deadline = models.DateTimeField(null=True, default=None, editable=False)
    counters = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def snapshot(self) -> Snapshot:
        """The columns as the pure step takes them."""
        return Snapshot(self.state, self.state_seq, self.deadline, self.counters)
