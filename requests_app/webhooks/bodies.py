"""What a webhook is told: requests and devices as they were at that moment, with the names of the v2 API's columns.

Never the boot config: it may hold secrets, and who listens to the pool need not own the request.
"""

import json
from datetime import datetime

from django.conf import settings

from devices.models import Device
from requests_app import lease
from requests_app.models import Request


def text(message_id: str, event: str, moment: datetime, told: dict[str, object]) -> str:
    """Write the body of a message."""
    return json.dumps({"id": message_id, "event": event, "time": when(moment), **told}, separators=(",", ":"))


def when(moment: datetime | None) -> str | None:
    """Write a moment as the v2 API does."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def request_object(request: Request) -> dict[str, object]:
    """Describe a request, and the device that it holds."""
    held = Device.objects.filter(held_by=request.pk).first()
    return {
        "id": request.pk,
        "url": f"{settings.MOZPOOL_BASE_URL}/api/v2/requests/{request.pk}/",
        "state": request.state,
        "state_seq": request.state_seq,
        "state_since": when(request.state_since),
        "created": when(request.created),
        "expires": when(lease.end(request.duration, request.ready_at, request.expires)),
        "ready_at": when(request.ready_at),
        "ended": when(request.ended),
        "image": request.image.name,
        "requested_device": _name(request.requested_device),
        "device": held
        and {
            "name": held.name,
            "fqdn": held.fqdn,
            "address": held.address,
            "state": held.state,
            "url": _url(held),
        },
        "last_device": _name(request.last_device),
        "environment": request.environment,
        "tags": list(request.tags),
        "assignee": request.assignee,
        "owner": request.owner,
        "priority": request.priority,
    }


def device_object(device: Device) -> dict[str, object]:
    """Describe a device."""
    return {
        "name": device.name,
        "url": _url(device),
        "fqdn": device.fqdn,
        "address": device.address,
        "inventory_id": device.inventory_id,
        "rack": device.rack.name,
        "environment": device.environment,
        "tags": list(device.tags),
        "state": device.state,
        "state_seq": device.state_seq,
        "state_since": when(device.state_since),
        "health": device.health,
        "quarantine_reason": device.quarantine_reason,
        "failures": device.failures,
        "image": device.image.name if device.image else None,
        "request": device.held_by,
    }


def _name(device: Device | None) -> str | None:
    return device.name if device else None


def _url(device: Device) -> str:
    return f"{settings.MOZPOOL_BASE_URL}/api/v2/devices/{device.name}/"
