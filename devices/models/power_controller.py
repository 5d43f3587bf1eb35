"""What switches power: relay boards and the like."""

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from devices.models.rack import Rack
from devices.names import check_case, validate_slug
from mozpool_site.encrypted import EncryptedJSONField

# A batch has 20 s: with more than this between them hardly two devices would fit in.
MOST_STAGGER = 5.0


class ControllerHealth(models.TextChoices):
    """How a power controller is, as far as its row tells."""

    SUSPECT = "suspect", "suspect"
    SILENT = "silent", "not answering"
    FAULTY = "faulty", "answers with errors"
    WELL = "well", "well"
    UNASKED = "unasked", "never asked"


def controller_health(
    suspect_until: datetime | None,
    last_contact: datetime | None,
    last_error_at: datetime | None,
    now: datetime,
) -> ControllerHealth:
    """Return how a power controller with these columns is; `suspect` and `SILENT` ask the database the same."""
    if suspect_until is not None and suspect_until > now:
        return ControllerHealth.SUSPECT
    # An answer that is an error sets both to one moment: it was heard of.
    if last_error_at is None:
        return ControllerHealth.WELL if last_contact is not None else ControllerHealth.UNASKED
    if last_contact is None or last_contact < last_error_at:
        return ControllerHealth.SILENT
    return ControllerHealth.FAULTY if last_contact == last_error_at else ControllerHealth.WELL


def suspect(now: datetime) -> Q:
    """Return the condition of the controllers that are to blame for what fails on them."""
    return Q(suspect_until__gt=now)


# The condition of the controllers of which nothing was heard when they were last asked.
SILENT = Q(last_error_at__isnull=False) & (Q(last_contact=None) | Q(last_contact__lt=F("last_error_at")))


class PowerController(models.Model):
    """A board of outlets. Its lease lets one process talk to it at a time, cluster-wide."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    rack = models.ForeignKey(Rack, on_delete=models.PROTECT, related_name="power_controllers")
    driver = models.CharField(max_length=32, default="proxr")
    address = models.CharField(max_length=260, help_text="host or host:port")
    settings = EncryptedJSONField(
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
        help_text="It was silent, or several of its devices failed at once: until then it is to blame, not they.",
    )
    lease_owner = models.CharField(max_length=64, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a name that another controller has but for its case."""
        check_case(self)

    def health(self, now: datetime) -> ControllerHealth:
        """Return how it is."""
        return controller_health(self.suspect_until, self.last_contact, self.last_error_at, now)
