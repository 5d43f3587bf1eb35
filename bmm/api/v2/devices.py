"""Makes, changes and deletes devices. Their outlets follow their drivers' grammars, hence not in the layer below."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from bmm.forms import DeviceForm
from bmm.models import OPEN, Operation
from devices import journal, services
from devices.api.v2.devices import DeviceResource
from devices.models import Journal
from mozpool_site import clock
from mozpool_site.api.access import Role, demand
from mozpool_site.api.v2.writing import Values, Writable

# What operators may change; all else is inventory, and the administrators'.
_OPERATORS = frozenset({"comments", "environment", "tags"})


class DeviceWriting(Writable, DeviceResource, abstract=True):
    """The devices, to be written."""

    form_class = DeviceForm

    def partial_update(self, request: Request, **parts: str) -> HttpResponse:
        """Change what the body names: operators comments, environment and tags, administrators all the inventory."""
        if set(request.data) - _OPERATORS:
            demand(self.caller, Role.ADMIN)
        return super().partial_update(request, **parts)

    def saved(self, row: Any, values: Values) -> Any:
        """Store a device; what was noted and whom it serves by the service that tells the journal."""
        values = _with_outlet(values)
        if row.pk is None:
            return super().saved(row, values)
        by = self.caller.actor
        if "comments" in values:
            services.set_comments(row.pk, values.pop("comments") or "", by=by)
        if "environment" in values:
            services.set_environment(row.pk, values.pop("environment"), by=by)
        row.refresh_from_db()
        if not values:
            return row
        before = {name: getattr(row, name) for name in values}
        changed = super().saved(row, values)
        told = ", ".join(name for name in values if getattr(changed, name) != before[name])
        if told:
            note = journal.line(f"changed: {told}", clock.now(), device_id=row.pk, by=by, event="changed")
            journal.append([note])
        return changed

    def why_kept(self, row: Any) -> str:
        """Keep a device that somebody has, that is at work, or that has a history."""
        if row.held_by is not None:
            return f"{row.name} is held by request {row.held_by}: return that first"
        if Operation.objects.filter(device=row, status__in=OPEN).exists():
            return f"hardware work on {row.name} is under way: wait for its end"
        if Journal.objects.filter(device_id=row.pk).exists():
            return f"{row.name} has a history; retire it instead: force it into locked_out, and say why"
        return ""


def _with_outlet(values: Values) -> Values:
    """Write `power` as the two columns that it is."""
    if "power" not in values:
        return values
    power = values["power"] or {"controller": None, "outlet": ""}
    rest = {name: value for name, value in values.items() if name != "power"}
    return {**rest, "power_controller": power["controller"], "outlet": power["outlet"]}
