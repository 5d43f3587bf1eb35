"""The table of devices as their hardware: power, network boot, and what was last done to each."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from devices.models import BootConfig, PowerController
from devices.models.power_controller import ControllerHealth
from mozpool_site import clock
from mozpool_site.api.access import Role
from pages.access import Person, page
from pages.bmm.queries import LastDone, last_done
from pages.devices.tables import table_of


@page(Role.VIEWER)
def bmm(request: HttpRequest, person: Person) -> HttpResponse:
    """List the devices."""
    table = table_of(request)
    now = clock.now()
    done = last_done([row.device.pk for row in table.rows])
    booting = {row.device.netboot_id for row in table.rows if row.device.netboot_id is not None}
    boot_configs = dict(BootConfig.objects.filter(pk__in=booting).values_list("pk", "name"))
    rows = [
        {
            "row": row,
            "device": row.device,
            "done": done.get(row.device.pk, LastDone()),
            "trouble": _trouble(row.controller, now),
            "netboot": boot_configs.get(row.device.netboot_id or 0, ""),
        }
        for row in table.rows
    ]
    context = {"table": table, "rows": rows, "sort": table.sort}
    return render(request, "pages/bmm/bmm.html", context)


def _trouble(controller: PowerController | None, now: datetime) -> str:
    """Say what is wrong with a power controller, as far as is known."""
    if controller is None:
        return ""
    health = controller.health(now)
    if health is ControllerHealth.SUSPECT:
        return "suspect: it was silent, or several of its devices failed"
    return controller.last_error if health in (ControllerHealth.SILENT, ControllerHealth.FAULTY) else ""
