"""An operation: one piece of hardware work, stored before it is begun."""

from typing import Any

from django.db import models
from django.db.models import CASCADE, PROTECT, Q, QuerySet
from django.db.models.deletion import Collector

from bmm.syslog.models import LogPattern  # noqa: F401 - Django finds models here only
from devices.models import Device, PowerController, Rack


class Kind(models.TextChoices):
    """What can be done to a device, or asked of a power controller."""

    POWER_CYCLE = "power_cycle", "power cycle"
    POWER_OFF = "power_off", "power off"
    PING = "ping", "ping"
    VERIFY_PORT = "verify_port", "try a TCP port"
    VERIFY_AGENT = "verify_agent", "ask the agent"
    CHECK_STORAGE = "check_storage", "check the storage"
    CHECK_HEALTH = "check_health", "check the health"
    TEST_CONTROLLER = "test_controller", "test the controller"
    READ_OUTLETS = "read_outlets", "read the outlets"


# What is asked of a power controller itself: it switches nothing, and concerns no device.
QUESTIONS = (Kind.TEST_CONTROLLER, Kind.READ_OUTLETS)


class Status(models.TextChoices):
    """How far an operation is."""

    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    LOST = "lost", "lost with its runner"
    SUPERSEDED = "superseded", "called off"


OPEN = (Status.QUEUED, Status.RUNNING)
ENDED = tuple(status for status in Status if status not in OPEN)


def keep_work(collector: Collector, field: Any, rows: QuerySet["Operation"], using: str) -> None:
    """Protect what was done to devices; what was asked of the controller itself goes along with it."""
    if example := list(rows.exclude(device=None)[:1]):
        PROTECT(collector, field, example, using)  # type: ignore[arg-type]  # a list will do
    CASCADE(collector, field, rows, using)


# Or Django reads all rows before it asks.
keep_work.lazy_sub_objs = True  # type: ignore[attr-defined]


class Operation(models.Model):
    """The id is the fencing token: a result counts only while this row is `running` for that runner.

    `state_seq` ties it to a state of its device's machine; null: somebody asked for it by hand.
    `running_on` repeats the device while the hardware is being touched: unique, so one at a time. A question to a
    power controller has no device: there the controller's lease sees to that.
    """

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, null=True, blank=True, related_name="operations"
    )
    rack = models.ForeignKey(Rack, on_delete=models.PROTECT, related_name="operations")
    controller = models.ForeignKey(
        PowerController, on_delete=keep_work, null=True, blank=True, related_name="operations"
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    arguments = models.JSONField(default=dict, blank=True)
    poll = models.FloatField(
        null=True, blank=True, help_text="After a miss, try again this many seconds later."
    )
    state_seq = models.PositiveBigIntegerField(null=True, blank=True)
    boot_seq = models.PositiveBigIntegerField(default=0)
    actor = models.CharField(max_length=100, blank=True, default="")
    held_by = models.PositiveBigIntegerField(
        default=0, help_text="The request that had the device when it was stored; 0: none had."
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    runner = models.CharField(max_length=64, blank=True, default="")
    running_on = models.PositiveBigIntegerField(null=True, unique=True, editable=False)
    attempts = models.PositiveIntegerField(default=0)
    created = models.DateTimeField()
    not_before = models.DateTimeField()
    begun = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=32, blank=True, default="")
    message = models.CharField(max_length=300, blank=True, default="")
    found = models.JSONField(null=True, blank=True, help_text="What a question found out.")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(device__isnull=False) | Q(controller__isnull=False, kind__in=QUESTIONS),
                name="operation_of_something",
            ),
        )
        indexes = (
            models.Index(fields=("rack", "status", "not_before"), name="operation_due"),
            models.Index(fields=("controller", "status", "not_before"), name="operation_drain"),
            models.Index(fields=("status", "lease_until"), name="operation_lease"),
            models.Index(fields=("device", "status"), name="operation_device"),
            # What failed lately, of which there is little among millions; and what is so old that it goes.
            models.Index(fields=("status", "kind", "finished", "device"), name="operation_ended"),
            # Lists, the newest first.
            models.Index(fields=("status", "id"), name="operation_status"),
            models.Index(fields=("kind", "id"), name="operation_kind"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.device or self.controller} (#{self.pk}, {self.status})"

    @property
    def of_device(self) -> Device:
        """The device that it is about; a question is about none, and must not be asked for one."""
        if self.device is None:
            raise TypeError(f"{self} is about no device")
        return self.device


class HandTask(models.Model):
    """Something that a person is asked to do, because the outlet's controller is one that people are.

    `open_for` repeats the device while the task is open: unique, so a device has one at a time. A task that is not
    open and not done was called off.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="hand_tasks")
    controller = models.ForeignKey(PowerController, on_delete=models.CASCADE, related_name="hand_tasks")
    outlet = models.CharField(max_length=64)
    kind = models.CharField(
        "what",
        max_length=16,
        choices=[(Kind.POWER_CYCLE, "off, count to ten, on again"), (Kind.POWER_OFF, "off")],
    )
    asked_by = models.CharField(max_length=100, blank=True, default="")
    asked_at = models.DateTimeField()
    open_for = models.PositiveBigIntegerField(null=True, unique=True, editable=False)
    done_by = models.CharField(max_length=100, blank=True, default="")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "task for a person"
        verbose_name_plural = "tasks for people"

    def __str__(self) -> str:
        return f"{self.outlet} of {self.controller}: {self.get_kind_display()}"
