"""Admin pages of what switches power: controllers with their health, and the tasks of people who pull plugs."""

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from bmm import by_hand
from bmm.controller_form import controller_form, open_settings, setting_fields
from bmm.controllers import driver_of
from bmm.errors import HardwareError
from bmm.models import HandTask, Operation
from bmm.outlets_admin import MOST_TESTS, AskingPages
from devices.admin_base import HistoryAdmin, machine_columns
from devices.models import PowerController
from devices.models.power_controller import ControllerHealth
from mozpool_site import clock
from mozpool_site.access.admin_audit import actor_of


@admin.register(PowerController)
class PowerControllerAdmin(AskingPages):
    """Power controllers; secret settings can be replaced here, not read."""

    list_display = ("name", "rack", "driver", "address", "health", "last_contact", "suspect_until")
    list_select_related = ("rack",)
    list_filter = ("rack", "driver")
    search_fields = ("name", "address")
    autocomplete_fields = ("rack",)
    readonly_fields = machine_columns(PowerController)
    actions = ("test",)
    change_form_template = "admin/pool/controller_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PowerController]:
        """Add the time, by which each row tells how it does."""
        rows: QuerySet[PowerController] = super().get_queryset(request)
        return rows.annotate(db_now=clock.DB_NOW)

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Make the form for the driver that is chosen on the page; who may only look needs none."""
        if not self.has_change_permission(request, obj):
            return super().get_form(request, obj, *args, **kwargs)
        form = controller_form(_driver(request, obj))
        return super().get_form(request, obj, *args, **{**kwargs, "form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Put the driver's settings below the rest; who may only look sees those that are no secrets."""
        about = ("name", "rack", "driver", "address", "stagger_seconds")
        health = ("How it does", {"fields": ("verifies", *self.readonly_fields)})
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": (*about, "open_settings")}), health)
        driver = _driver(request, obj)
        fields = (*setting_fields(driver), "forget", "shown_for")
        return ((None, {"fields": about}), (f"Settings of {driver}", {"fields": fields}), health)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Have the open settings shown, where they are."""
        shown = () if self.has_change_permission(request, obj) else ("open_settings",)
        return (*self.readonly_fields, "verifies", *shown)

    def why_kept(self, rows: Iterable[Any]) -> list[str]:
        """Keep what has switched devices; questions go along with their controller."""
        work = Operation.objects.exclude(device=None).select_related("device")
        return [
            f"What {row} has switched is kept as long as the journal, such as {operation}."
            for row in rows
            for operation in work.filter(controller=row)[:1]
        ]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store the settings, which are several fields of the page, where one of them has changed."""
        if form.changed_settings() or "driver" in form.changed_data:
            form.changed_data.append("settings")
        super().save_model(request, obj, form, change)

    def has_test_permission(self, request: HttpRequest) -> bool:
        """Let everybody test who may look: it switches nothing."""
        return self.has_view_permission(request)

    @admin.action(description="Test: see whether it answers", permissions=("test",))
    def test(self, request: HttpRequest, queryset: QuerySet[PowerController]) -> HttpResponse | None:
        """Have each asked for a sign of life that switches nothing."""
        controllers = list(queryset[: MOST_TESTS + 1])
        if len(controllers) > MOST_TESTS:
            self.message_user(request, f"At most {MOST_TESTS} at a time, please.", messages.ERROR)
            return None
        return self.begin_tests(request, controllers)

    @admin.display(description="settings")
    def open_settings(self, controller: PowerController) -> str:
        """Give the settings without the secret ones."""
        return json.dumps(open_settings(controller))

    @admin.display(description="reads back")
    def verifies(self, controller: PowerController) -> str:
        """Say whether the driver can tell if an outlet is on."""
        if not controller.pk:
            return "-"
        try:
            driver = driver_of(controller)
        except HardwareError as error:
            return f"unknown: {error}"
        return (
            "yes"
            if driver.verifies
            else "no: what it is told counts as done, and its outlets' state is unknown"
        )

    @admin.display(description="health")
    def health(self, controller: Any) -> str:
        """Say in a few words how it does."""
        found = controller.health(clock.aware(controller.db_now))
        if found in (ControllerHealth.WELL, ControllerHealth.UNASKED):
            return str(found.label)
        return f"{found.label}: {controller.last_error}"


@admin.register(HandTask)
class HandTaskAdmin(HistoryAdmin):
    """What people are asked to switch, newest first; whoever has done it says so here."""

    list_display = (
        "id",
        "device",
        "outlet",
        "controller",
        "kind",
        "asked_by",
        "asked_at",
        "status",
        "done_by",
        "done_at",
    )
    list_select_related = ("device", "controller")
    list_filter = (("open_for", admin.EmptyFieldListFilter),)
    search_fields = ("device__name",)
    search_help_text = "The whole name of a device."
    actions = ("confirm",)  # type: ignore[assignment]

    def get_queryset(self, request: HttpRequest) -> QuerySet[HandTask]:
        """Add whether somebody still waits for it."""
        return by_hand.with_need(super().get_queryset(request))

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        """Let everybody confirm who may look: operators pull the plugs."""
        return self.has_view_permission(request)

    @admin.action(description="I have done it", permissions=("confirm",))
    def confirm(self, request: HttpRequest, queryset: QuerySet[HandTask]) -> None:
        """Note that the tasks are done; what waits for them goes on."""
        by = actor_of(request)
        for task in queryset:
            if by_hand.confirm(task.pk, by=by):
                self.message_user(request, f"{task}: thank you.", messages.SUCCESS)
            else:
                self.message_user(request, f"{task}: nobody waits for that any more.", messages.WARNING)

    @admin.display(description="status")
    def status(self, task: Any) -> str:
        """Say how far a task is."""
        if task.done_at:
            return "done"
        return "please do it" if task.wanted else "called off"


def _driver(request: HttpRequest, obj: Any) -> str:
    """Find out which driver the page is about."""
    return request.POST.get("driver") or request.GET.get("driver") or (obj.driver if obj else "proxr")
