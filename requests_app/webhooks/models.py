"""Who wants to hear what (webhooks), what they are to be told (the outbox), and how each try went (the log)."""

from django.db import models
from django.utils import timezone

from mozpool_site.encrypted import EncryptedTextField
from requests_app.webhooks.targets import LONGEST_URL


class Webhook(models.Model):
    """An address that is told of events: those of one request, or of the whole pool where `request` is null.

    `failures` counts tries in a row that failed, `deaths` deliveries in a row that were given up; a success sets both
    to 0. While `paused_until` lies ahead nothing is sent; once `dead_since` is set, not before somebody revives it.
    """

    request = models.OneToOneField(
        "requests_app.Request",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="webhook",
        help_text="The request whose changes are told; empty: what `events` names, of the whole pool.",
    )
    url = models.CharField(max_length=LONGEST_URL, verbose_name="URL")
    secret = EncryptedTextField(blank=True, default="", help_text="Signs; nobody is shown it.")
    events = models.JSONField(default=list, help_text='Patterns, such as ["request.*", "device.failed"].')
    active = models.BooleanField(default=True)
    owner = models.CharField(max_length=100, blank=True, default="", editable=False)
    created = models.DateTimeField(default=timezone.now, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    deaths = models.PositiveIntegerField(default=0, editable=False)
    paused_until = models.DateTimeField(null=True, default=None, editable=False)
    dead_since = models.DateTimeField(null=True, default=None, editable=False)
    dead_reason = models.CharField(max_length=300, blank=True, default="", editable=False)

    class Meta:
        indexes = (models.Index(fields=("dead_since",), name="webhook_dead"),)

    def __str__(self) -> str:
        return f"webhook {self.pk}"


class Status(models.TextChoices):
    """What became of a delivery."""

    WAITING = "waiting", "waiting"
    DELIVERED = "delivered", "delivered"
    DEAD = "dead", "given up"


class Delivery(models.Model):
    """One event for one webhook, as it will be sent. Whoever sends it owns it until `not_before`.

    Rows are written in the transaction of the change that they tell, and no webhook that is deleted meanwhile may make
    that fail: hence no constraint in the database. What a deleted webhook leaves behind, `queue.py` removes.
    """

    webhook = models.ForeignKey(
        Webhook, on_delete=models.DO_NOTHING, related_name="deliveries", db_constraint=False, db_index=False
    )
    message_id = models.CharField(max_length=40, unique=True, help_text="The same in every try.")
    subject = models.CharField(max_length=40, help_text="What it is about; of one subject the order is kept.")
    event = models.CharField(max_length=64)
    body = models.TextField()
    created = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField()
    give_up = models.DateTimeField(help_text="A try that fails after this is the last.")
    finished = models.DateTimeField(null=True, default=None)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = (
            models.Index(fields=("status", "webhook", "not_before"), name="delivery_due"),
            models.Index(fields=("webhook", "subject", "status"), name="delivery_order"),
            models.Index(fields=("finished",), name="delivery_finished"),
        )

    def __str__(self) -> str:
        return f"{self.event} of {self.subject}"


class Attempt(models.Model):
    """One try to deliver. `status` is null when no answer came; `error` says why then."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    time = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    answer = models.CharField(max_length=200, blank=True, default="")
    error = models.CharField(max_length=200, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.status or self.error}"
