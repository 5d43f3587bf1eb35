"""What an installation looks for in its devices' logs, besides or instead of what is built in."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from bmm.syslog.patterns import LONGEST_NAME, LONGEST_REGEX, validate_regex


class Severity(models.TextChoices):
    """What an alarm means."""

    NOTICE = "notice", "notice: an event in the journal"
    SERIOUS = "serious", "serious: the device's health is in doubt as well"


class LogPattern(models.Model):
    """A regular expression (RE2), and the event that a line of a device's log becomes where it is found."""

    name = models.CharField(
        max_length=LONGEST_NAME,
        unique=True,
        validators=[
            RegexValidator(r"\A[a-z][a-z0-9_]*\Z", "Small letters, digits and _, please: fan_failed.")
        ],
        help_text="The event in the journal. A built-in pattern of the same name no longer counts.",
    )
    regex = models.CharField(
        "regular expression",
        max_length=LONGEST_REGEX,
        validators=[validate_regex],
        help_text="Looked for anywhere in `program: text`, in RE2's syntax. (?i) at its beginning: in any case.",
    )
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.NOTICE)
    cooldown = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="Seconds for which further lines of the same device are ordinary ones.",
    )
    enabled = models.BooleanField(default=True)
    comments = models.TextField(blank=True, default="", max_length=2000)

    class Meta:
        verbose_name = "pattern in logs"
        verbose_name_plural = "patterns in logs"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
