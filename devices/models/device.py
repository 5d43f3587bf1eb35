"""A device: what it is, where it hangs, what is on it, and what state it is in."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from devices.addresses import validate_address, validate_card, validate_fqdn
from devices.models.boot_config import BootConfig
from devices.models.device_kind import KIND_COLUMNS, DeviceKind, DeviceQuerySet, store_with_kinds
from devices.models.hardware import HardwareType
from devices.models.image import Image
from devices.models.power_controller import PowerController
from devices.models.rack import Rack
from devices.names import (
    ANY,
    ANY_MEANS_ANY,
    check_case,
    is_list_of_names,
    validate_hostname,
    validate_mac,
    validate_slug,
)
from mozpool_site.statemachine.models import MachineColumns


class Result(models.TextChoices):
    """What became of the task that a device was last given; the words are those of the old system."""

    PENDING = "", "under way"
    COMPLETE = "complete", "complete"
    BAD_DEVICE = "failed-bad-device", "failed: the device"
    BAD_IMAGE = "failed-bad-image", "failed: the image"
    WITHDRAWN = "withdrawn", "taken away meanwhile"


class Health(models.TextChoices):
    """Whether a device can be trusted; its state only says what it does."""

    UNKNOWN = "unknown", "unknown"
    GOOD = "good", "good"
    BAD = "bad", "bad"


class Device(MachineColumns):
    """One board or phone. `held_by` is the id of the request that has it; lower layers ask no more."""

    name = models.CharField(max_length=63, unique=True, validators=[validate_hostname])
    fqdn = models.CharField(max_length=253, validators=[validate_hostname, validate_fqdn])
    address = models.GenericIPAddressField(
        null=True,
        blank=True,
        validators=[validate_address],
        help_text="Fixed IPv4 address; empty: the FQDN is looked up.",
    )
    mac = models.CharField(max_length=12, unique=True, validators=[validate_mac, validate_card])
    inventory_id = models.PositiveIntegerField(null=True, blank=True)
    rack = models.ForeignKey(Rack, on_delete=models.PROTECT, related_name="devices")
    hardware_type = models.ForeignKey(HardwareType, on_delete=models.PROTECT, related_name="devices")
    power_controller = models.ForeignKey(
        PowerController, on_delete=models.PROTECT, null=True, blank=True, related_name="devices"
    )
    outlet = models.CharField(
        max_length=64, blank=True, help_text="As its driver names it, e.g. bank1:relay3."
    )
    environment = models.CharField(max_length=64, validators=[validate_slug])
    tags = models.JSONField(default=list, blank=True)
    kind = models.ForeignKey(
        DeviceKind, on_delete=models.PROTECT, editable=False, related_name="devices", db_index=False
    )
    comments = models.TextField(null=True, blank=True, max_length=10_000)  # noqa: DJ001 - old clients see null

    image = models.ForeignKey(
        Image, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="installed_on"
    )
    boot_config = models.TextField(default="", blank=True, editable=False)
    next_image = models.ForeignKey(
        Image, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="coming_to"
    )
    next_boot_config = models.TextField(default="", blank=True, editable=False)

    deadline = models.DateTimeField(null=True, default=timezone.now, editable=False)
    state = models.CharField(max_length=64, default="new", editable=False)
    held_by = models.PositiveBigIntegerField(null=True, unique=True, editable=False)
    idle_since = models.DateTimeField(
        null=True, editable=False, help_text="Since when it waits for work: ready and held by nobody."
    )
    boot_seq = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text="Raised by every power cycle into the network; its token dies with it.",
    )
    netboot = models.ForeignKey(
        BootConfig,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="booting",
        help_text="What the next boot reads from the network; empty: the device boots from its own storage.",
    )
    task_seq = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text="Raised by every task; a result belongs to the task of this number.",
    )
    result = models.CharField(
        max_length=20, choices=Result.choices, default=Result.PENDING, blank=True, editable=False
    )
    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Tasks that failed in a row since one was completed."
    )
    health = models.CharField(max_length=8, choices=Health.choices, default=Health.UNKNOWN, editable=False)
    quarantine_reason = models.CharField(max_length=300, blank=True, default="", editable=False)
    inventory_source = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text="The inventory that last listed it; empty: none has, people entered it.",
    )
    gone_since = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Since when its inventory no longer lists it; it is locked out once nobody holds it.",
    )
    quarantine_by = models.CharField(
        max_length=150, blank=True, default="", editable=False, help_text="Who says so; empty: Lifeguard."
    )
    quarantine_bug = models.CharField(
        max_length=300, blank=True, default="", editable=False, help_text="Where the repair is followed up."
    )
    quarantine_since = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager["Device"]] = DeviceQuerySet["Device"].as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("power_controller", "outlet"), name="one_device_per_outlet"),
        )
        indexes = (
            models.Index(fields=("idle_since",), name="device_idle"),
            models.Index(fields=("kind", "idle_since"), name="device_idle_kind"),
            models.Index(fields=("kind", "image", "idle_since"), name="device_idle_kind_image"),
            models.Index(fields=("rack", "deadline"), name="device_due"),
            models.Index(fields=("deadline",), name="device_due_anywhere"),
            # The lists of the API and the admin: each filter in the order of names, and the longest in its state.
            models.Index(fields=("state", "name"), name="device_state_name"),
            models.Index(fields=("rack", "name"), name="device_rack_name"),
            models.Index(fields=("environment", "name"), name="device_environment_name"),
            models.Index(fields=("hardware_type", "name"), name="device_hardware_name"),
            models.Index(fields=("image", "name"), name="device_image_name"),
            models.Index(fields=("health", "name"), name="device_health_name"),
            models.Index(fields=("state_since",), name="device_since"),
            models.Index(fields=("state", "state_since"), name="device_state_since"),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Store it, with the kind that follows from its environment, hardware and tags."""
        store = super().save
        if update_fields is None:
            store_with_kinds([self], lambda: store(**options))
        elif KIND_COLUMNS.isdisjoint(update_fields):
            store(update_fields=update_fields, **options)
        else:
            fields = {*update_fields}
            with transaction.atomic():
                self._take_stored(besides=fields)
                store_with_kinds([self], lambda: store(update_fields={*fields, "kind", "tags"}, **options))

    def _take_stored(self, besides: Collection[str]) -> None:
        """Lock the row, and take over what others have stored meanwhile: its kind follows from that, too."""
        locked = Device.objects.select_for_update().filter(pk=self.pk)
        for row in locked.values("environment", "hardware_type_id", "tags"):
            for column, value in row.items():
                if column not in besides and column.removesuffix("_id") not in besides:
                    setattr(self, column, value)

    def clean(self) -> None:
        """Refuse what fits its columns and still can't be; the message stands beside the field."""
        check_case(self)
        wrong = {name: ANY_MEANS_ANY for name in ("name", "environment") if getattr(self, name) == ANY}
        if not is_list_of_names(self.tags):
            wrong["tags"] = 'A list of plain names, each once, please, such as ["hdmi", "usb"].'
        controller = self.power_controller
        if controller is None and self.outlet:
            wrong["outlet"] = "An outlet needs a power controller that it belongs to."
        elif controller is not None and not self.outlet:
            wrong["outlet"] = f"Which outlet of {controller}?"
        elif controller is not None and controller.rack_id != self.rack_id:
            wrong["power_controller"] = f"{controller} is in rack {controller.rack}, not in the device's."
        if wrong:
            raise ValidationError(wrong)

    @property
    def host(self) -> str:
        """What to connect to."""
        return self.address or self.fqdn
