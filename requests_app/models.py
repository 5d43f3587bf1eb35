"""A request for a device with an image, for a time."""

from typing import Any, cast

from django.db import models
from django.utils import timezone

from devices.models import Device, HardwareType, Image
from mozpool_site.statemachine.models import MachineColumns
from requests_app.matching import wish_number
from requests_app.webhooks.models import Attempt, Delivery, Webhook  # noqa: F401 - Django finds models here only


class WishField(models.BigIntegerField):  # type: ignore[type-arg]
    """The number of what a request wants, which never changes: set where its row is stored."""

    def deconstruct(self) -> Any:
        """Return it as migrations have it: a plain number."""
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.BigIntegerField", arguments, options

    def pre_save(self, model_instance: models.Model, add: bool) -> int:
        """Return the number, and keep it in the request."""
        request = cast("Request", model_instance)
        request.wish = wish_number(
            image_id=request.image_id,
            environment=request.environment,
            hardware_id=request.hardware_id,
            tags=request.tags,
            device_id=request.requested_device_id,
        )
        return int(request.wish)


class Request(MachineColumns):
    """Who wants which device with what on it. It holds the device whose `held_by` is its id.

    `ended` is null while the request lives. `requested_device` null means any that fits.
    """

    requested_device = models.ForeignKey(
        Device, on_delete=models.PROTECT, null=True, blank=True, related_name="asked_for_by"
    )
    environment = models.CharField(max_length=64, default="any", help_text="any: no matter which")
    hardware = models.ForeignKey(
        HardwareType,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The type of hardware that was asked for; empty: any that the image can be put on.",
    )
    tags = models.JSONField(default=list, blank=True)
    wish = WishField(default=0, editable=False, help_text="The same for all that the same devices can serve.")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="requests")
    boot_config = models.TextField(default="{}", help_text="JSON: a value for each of the image's keys.")
    assignee = models.CharField(max_length=100)
    owner = models.CharField(
        max_length=100, blank=True, default="", help_text="Who filed it, as we know them."
    )
    priority = models.SmallIntegerField(
        default=0, help_text="From -10 to 10; a point counts like half a minute of waiting."
    )
    turn = models.DateTimeField(
        default=timezone.now,
        editable=False,
        help_text="Who waits is served in this order: when it was filed, set back by its priority.",
    )
    created = models.DateTimeField(default=timezone.now, editable=False)
    duration = models.PositiveIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="Seconds that its owner has the device from ready on; empty: counted from filing (legacy API).",
    )
    waits_until = models.DateTimeField(
        default=timezone.now, editable=False, help_text="How long it waits for a free device."
    )
    expires = models.DateTimeField(
        help_text="When it ends by itself. Until its time has begun, a moment that it will not live to see."
    )
    matched_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it got the device that it held last."
    )
    ready_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended = models.DateTimeField(null=True, blank=True, editable=False)
    task_seq = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="The task that its device was given for it."
    )
    last_device = models.ForeignKey(
        Device,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The device that it held last: history only.",
    )

    filing_key = models.CharField(  # noqa: DJ001 - unique, so rows without one need null
        max_length=64,
        null=True,
        unique=True,
        default=None,
        editable=False,
        help_text="Of the call that filed it: filed once, although a lost commit or the call itself was repeated.",
    )
    filing_digest = models.CharField(
        max_length=64, blank=True, default="", editable=False, help_text="Of that call's body."
    )
    has_webhook = models.BooleanField(
        default=False, editable=False, help_text="Whether a webhook of its own wants to hear of it."
    )

    class Meta:
        indexes = (
            models.Index(fields=("ended", "expires"), name="request_expiry"),
            models.Index(fields=("ended", "deadline"), name="request_due"),
            models.Index(fields=("state", "wish", "turn", "id"), name="request_line"),
            models.Index(fields=("ready_at",), name="request_history"),
            models.Index(fields=("owner", "id"), name="request_owner"),
            models.Index(fields=("assignee", "id"), name="request_assignee"),
            models.Index(fields=("environment", "id"), name="request_environment"),
            models.Index(fields=("created",), name="request_created"),
            models.Index(fields=("expires",), name="request_expires"),
            models.Index(fields=("owner", "ended"), name="request_quota"),
        )

    def __str__(self) -> str:
        return f"request {self.pk} of {self.assignee} for {self.image}"


class RequestTag(models.Model):
    """A tag that a request asks for, once more where an index finds it: `tags` of the request says the same."""

    request = models.ForeignKey(Request, on_delete=models.CASCADE, related_name="tag_rows")
    tag = models.CharField(max_length=64)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tag", "request"), name="request_tag"),)

    def __str__(self) -> str:
        return f"request {self.request_id}: {self.tag}"


def store_tags(request: Request) -> None:
    """Store the tags of a request whose row is there; one query, none for a request without."""
    if request.tags:
        # MySQL takes tags that differ in case for one.
        tags = (RequestTag(request=request, tag=tag) for tag in request.tags)
        RequestTag.objects.bulk_create(tags, ignore_conflicts=True)


class DailyFigures(models.Model):
    """What ended on a day, added up once it is over (requests_app/daily.py); never changed, and kept for ever.

    A row has some kilobytes for a hundred racks.
    """

    day = models.DateField(primary_key=True, help_text="In UTC.")
    figures = models.JSONField()

    def __str__(self) -> str:
        return f"figures of {self.day}"


class HourlyFigures(models.Model):
    """What ended in an hour, added up once it is over; kept until its day has been, too."""

    hour = models.DateTimeField(primary_key=True, help_text="Its beginning, in UTC.")
    figures = models.JSONField()

    def __str__(self) -> str:
        return f"figures of {self.hour:%Y-%m-%d %H:00}"


class PoolLease(models.Model):
    """Who looks after what concerns the whole pool: one pulse at a time holds the row named `pool`."""

    name = models.CharField(max_length=16, primary_key=True)
    owner = models.CharField(max_length=64, blank=True, default="")
    until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.owner or 'nobody'}"
