"""Personal tokens, counters of failed attempts, limits of single users, and the audit trail."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from mozpool_site.access.roles import Role


class RoleCap(models.IntegerChoices):
    """The roles that a token can be limited to."""

    VIEWER = Role.VIEWER, "viewer"
    REQUESTER = Role.REQUESTER, "requester"
    OPERATOR = Role.OPERATOR, "operator"
    ADMIN = Role.ADMIN, "admin"


class Token(models.Model):
    """A credential of one user for the API. Only its digest is stored: the token itself is shown once, when made."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(
        max_length=64, help_text="What it is for, such as the job or machine that uses it."
    )
    role = models.PositiveSmallIntegerField(
        choices=RoleCap,
        help_text="The most that its bearer may do; less when its owner's own role is smaller.",
    )
    digest = models.CharField(
        max_length=64, unique=True, editable=False, help_text="SHA-256 of the token, in hexadecimal."
    )
    begins = models.CharField(
        max_length=8, editable=False, help_text="How it begins, to tell it from others."
    )
    created = models.DateTimeField(default=timezone.now, editable=False)
    expires = models.DateTimeField(editable=False)
    last_used = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Within a minute; empty until its first use."
    )

    class Meta:
        indexes = (models.Index(fields=("expires",), name="token_expiry"),)

    def __str__(self) -> str:
        return f"token {self.begins}... ({self.name})"


class Failures(models.Model):
    """Failed attempts that share a key (a name, an address, or both), and until when no more are heard."""

    key = models.CharField(max_length=200, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    last = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "failures"
        indexes = (models.Index(fields=("last",), name="failures_age"),)

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


class Limits(models.Model):
    """What one user may have more or less of than others."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="limits")
    max_open_requests = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: as MOZPOOL_MAX_OPEN_REQUESTS says. 0: no limit."
    )

    class Meta:
        verbose_name_plural = "limits"

    def __str__(self) -> str:
        return f"limits of {self.user}"


class AuditEntry(models.Model):
    """Who changed what, from where, when; append-only. It has plain names, so that it outlives what it tells of."""

    time = models.DateTimeField(db_default=Now(), db_index=True, editable=False)
    actor = models.CharField(max_length=150, blank=True, help_text="Empty: somebody unknown.")
    address = models.CharField(
        max_length=45, blank=True, help_text="The caller's IP address; empty for a command."
    )
    action = models.CharField(max_length=64)
    target_kind = models.CharField(max_length=32)
    target = models.CharField(max_length=200, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    request_id = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The request that held the device."
    )

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=("target", "target_kind"), name="audit_target"),
            models.Index(fields=("actor", "time"), name="audit_actor"),
        )

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M:%S} {self.actor or '?'}: {self.action} {self.target_kind} {self.target}"
