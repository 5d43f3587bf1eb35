"""Loads what the request table may ask, and only what it does ask."""

from datetime import datetime
from functools import cached_property

from django.db.models import QuerySet

from bmm.controller_traits import traits_of
from devices.models import Device
from devices.models.device import Result
from lifeguard.bounds import facts_of, patience
from lifeguard.states import DEVICE
from mozpool_site.statemachine.machine import Event
from requests_app import lease
from requests_app.models import Request

FAILED = frozenset(DEVICE.tagged("failed"))
AWAY = frozenset(DEVICE.tagged("away"))
# Of a task that the device was given for this very request.
_OF_THE_TASK = {Result.BAD_IMAGE: "bad_image", Result.BAD_DEVICE: "bad_device"}


class StoredFacts:
    """The fields of RequestFacts for a locked row. Each is loaded when the table first asks: many steps ask little."""

    def __init__(self, request: Request, event: Event, now: datetime) -> None:
        self._request = request
        self._event = event
        self._now = now

    @property
    def named(self) -> bool:
        """Whether a certain device was asked for."""
        return self._request.requested_device_id is not None

    @property
    def named_device_failed(self) -> bool:
        """Whether that one is out of the pool."""
        return self.named and is_failed(self._request.requested_device)

    @property
    def search_seconds(self) -> float:
        """What is left of the time that it waits for a device."""
        return lease.search_seconds(self._request, self._now)

    @property
    def device_answer(self) -> str:
        """What the device that it holds makes of its task."""
        return answer_of(self._device, self._request)

    @property
    def device_patience(self) -> float:
        """For how many seconds to wait for the device; who wants this very one waits out faults of the pool, too."""
        device = self._matched or self._device
        images = {self._request.image}
        if device is not None and device is not self._matched:
            # Somebody may have given it another one, or its own again.
            images |= {image for image in (device.next_image or device.image,) if image is not None}
        controller = traits_of(device.power_controller_id if device is not None else None)
        tasks = [facts_of(image, controller) for image in images]
        return max(patience(task, with_faults=self.named) for task in tasks)

    @property
    def _matched(self) -> Device | None:
        found = self._event.arguments.get("device")
        return found if isinstance(found, Device) else None

    @cached_property
    def _device(self) -> Device | None:
        return Device.objects.filter(held_by=self._request.pk).first()


def is_failed(device: Device | None) -> bool:
    """Whether a device is out of the pool."""
    return device is not None and device.state in FAILED


def waiting_for_failed() -> QuerySet[Request]:
    """Select requests that wait for a device that is out of the pool."""
    return Request.objects.filter(state="finding_device", requested_device__state__in=FAILED)


def answer_of(device: Device | None, request: Request) -> str:
    """Return what a device makes of the task that a request gave it; the words are those of RequestFacts."""
    if device is None:
        return "gone"
    if device.task_seq == request.task_seq and device.result in _OF_THE_TASK:
        return _OF_THE_TASK[Result(device.result)]
    if is_failed(device):
        return "bad_device"
    if device.state == "ready":
        has_image = (device.image_id, device.boot_config) == (request.image_id, request.boot_config)
        return "complete" if has_image else "wrong_image"
    if DEVICE[device.state].name in AWAY:
        return "away"
    return "under_repair" if device.result == Result.WITHDRAWN else "waiting"
