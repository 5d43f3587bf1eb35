"""What switches power: relay boards and the like."""

from django.db import models

from devices.models.rack import Rack
from devices.names import validate_slug


class PowerController(models.Model):
    """A board of outlets. Its lease lets one process talk to it at a time, cluster-wide."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    rack = models.ForeignKey(Rack, on_delete=models.PROTECT, related_name="power_controllers")
    driver = models.CharField(max_length=32, default="proxr")
    address = models.CharField(max_length=260, help_text="host or host:port")
    settings = models.JSONField(
        default=dict, blank=True, help_text="What the driver needs beyond the address."
    )
    suspect_until = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Several of its devices failed: it is to blame, not they.",
    )
    lease_owner = models.CharField(max_length=64, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
