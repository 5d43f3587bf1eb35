"""What switches power: relay boards and the like."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from devices.models.rack import Rack
from devices.names import validate_slug

# A batch has 20 s: with more than this between them hardly two devices would fit in.
MOST_STAGGER = 5.0


class PowerController(models.Model):
    """A board of outlets. Its lease lets one process talk to it at a time, cluster-wide."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    rack = models.ForeignKey(Rack, on_delete=models.PROTECT, related_name="power_controllers")
    driver = models.CharField(max_length=32, default="proxr")
    address = models.CharField(max_length=260, help_text="host or host:port")
    settings = models.JSONField(
        default=dict, blank=True, help_text="What the driver needs beyond the address."
    )
    stagger_seconds = models.FloatField(
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_STAGGER)],
        help_text="Between two of its devices going on: all at once could blow their fuse. 0 to 5.",
    )
    last_contact = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it last answered."
    )
    last_error = models.CharField(max_length=300, blank=True, default="", editable=False)
    last_error_at = models.DateTimeField(null=True, blank=True, editable=False)
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
