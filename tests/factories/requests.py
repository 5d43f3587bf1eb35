"""Requests: filed as a client would, or put into a state for a test that begins there."""

from datetime import timedelta
from typing import Any

from devices.models import Device, Image
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from requests_app.matching import turn
from requests_app.models import Request, store_tags
from requests_app.services import Order, file_request

CLIENT = Actor("tester", "api")


def file_order(image: Image, **order: Any) -> Request:
    """File a request by the service, for any device and an hour unless told otherwise."""
    return file_request(Order(image=image, **{"assignee": "tester", "duration": 3600, **order}), by=CLIENT)


def make_request(
    image: Image, *, state: str = "finding_device", device: Device | None = None, **columns: Any
) -> Request:
    """Put a request into a state without asking anybody; with `device` it holds that one."""
    now = clock.now()
    ordinary: dict[str, Any] = {
        "turn": turn(columns.get("created", now), columns.get("priority", 0)),
        "state": state,
        "deadline": now + timedelta(seconds=60) if state in ("finding_device", "pending") else None,
        "image": image,
        "assignee": "tester",
        "expires": now + timedelta(hours=1),
        "waits_until": now + timedelta(minutes=10),
    }
    request = Request.objects.create(**{**ordinary, **columns})
    store_tags(request)
    if device is not None:
        Device.objects.filter(pk=device.pk).update(held_by=request.pk, idle_since=None)
        device.refresh_from_db()
    return request
