"""Writes requests as the legacy API shows them: a boot config is a string, a missing device is an empty one."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet

from devices.models import Device
from mozpool_site.api.legacy import stamp
from requests_app.api.ownership import shown
from requests_app.models import Request
from requests_app.planning.pool import ANY


def request_object(request: Request, *, may_read: bool, just_filed: bool = False) -> dict[str, object]:
    """Give one request; one query, for the device that it holds, unless its filing has just told."""
    if just_filed and request.state == "pending" and request.last_device is not None:
        held: str | None = request.last_device.name
    else:
        held = Device.objects.filter(held_by=request.pk).values_list("name", flat=True).first()
    return {
        "id": request.pk,
        "requested_device": request.requested_device.name if request.requested_device else ANY,
        "assignee": request.assignee,
        "expires": stamp(request.expires),
        "environment": request.environment,
        "image": request.image.name,
        "boot_config": shown(request.boot_config, allowed=may_read),
        "assigned_device": held or "",
        "url": f"{settings.MOZPOOL_BASE_URL}/api/request/{request.pk}/",
    }


def list_entries(requests: QuerySet[Request], may_read: Callable[[str], bool]) -> list[dict[str, object]]:
    """Give requests for the list, in two queries however many there are.

    `imaging_server` is that of the device that is held or was asked for, else the pool's own host: any server
    answers for a request, old clients only expect to be told one.
    """
    held = {
        held_by: (name, state, server)
        for held_by, name, state, server in Device.objects.filter(held_by__isnull=False).values_list(
            "held_by", "name", "state", "rack__imaging_server"
        )
    }
    own_host = urlsplit(settings.MOZPOOL_BASE_URL).hostname or ""
    entries = []
    for request in requests.select_related("requested_device__rack"):
        named = request.requested_device
        server = named.rack.imaging_server if named else own_host
        name, state, server = held.get(request.pk, ("", "", server))
        entries.append(
            {
                "id": request.pk,
                "imaging_server": server,
                "assignee": request.assignee,
                "boot_config": shown(request.boot_config, allowed=may_read(request.owner)),
                "state": request.state,
                "expires": stamp(request.expires),
                "requested_device": named.name if named else ANY,
                "environment": request.environment,
                "assigned_device": name,
                "device_state": state,
            }
        )
    return entries
