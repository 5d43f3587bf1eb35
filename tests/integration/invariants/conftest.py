"""A small pool in which every kind of row is at work, and nothing is wrong."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network

import pytest

from bmm.models import Operation, Status
from devices.lab import LabPlan, seed
from devices.models import Device, Image
from lifeguard.services import force_state
from mozpool_site import clock
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import Actor
from requests_app.machine import request_runner
from requests_app.models import Request
from requests_app.services import Order, file_request, return_request

_BY = Actor("tester", "user")


@dataclass(frozen=True)
class Pool:
    """Requests by what they are doing, the devices that they hold, and an operation that runs."""

    idle: Device
    ready: Request
    ready_device: Device
    pending: Request
    pending_device: Device
    waiting: Request
    closed: Request
    running: Operation


@pytest.fixture
def pool(db: None) -> Pool:
    """Give a pool of six devices: one has its image, one gets it, one is asked for in vain, four are idle."""
    seed(LabPlan(racks=2, devices=6, network=IPv4Network("127.64.0.0/16")))
    android = Image.objects.get(name="android")
    ready = file_request(Order(android, "tester", 3600), by=_BY)
    ready_device = Device.objects.get(held_by=ready.pk)
    _arrive(ready, ready_device)
    pending = file_request(Order(Image.objects.get(name="linux"), "tester", 3600), by=_BY)
    waiting = file_request(Order(android, "tester", 3600, environment="nowhere"), by=_BY)
    closed = file_request(Order(android, "tester", 3600), by=_BY)
    return_device = Device.objects.get(held_by=closed.pk)
    return_request(closed.pk, by=_BY)
    _make_ready(return_device)
    for request in (ready, pending, waiting, closed):
        request.refresh_from_db()
    pending_device = Device.objects.get(held_by=pending.pk)
    return Pool(
        idle=Device.objects.filter(idle_since__isnull=False).earliest("pk"),
        ready=ready,
        ready_device=ready_device,
        pending=pending,
        pending_device=pending_device,
        waiting=waiting,
        closed=closed,
        running=_begin(Operation.objects.get(device=pending_device, status=Status.QUEUED)),
    )


def _arrive(request: Request, device: Device) -> None:
    """Let a device become ready with its image, and its request hear of it."""
    _make_ready(device)
    request_runner.deliver(request.pk, Event("device_settled"))
    device.refresh_from_db()


def _make_ready(device: Device) -> None:
    device.refresh_from_db()
    force_state(device.pk, device.state, "ready", by=_BY)


def _begin(operation: Operation) -> Operation:
    now = clock.now()
    Operation.objects.filter(pk=operation.pk).update(
        status=Status.RUNNING,
        runner="host:1:abc:2",
        running_on=operation.device_id,
        begun=now,
        lease_until=now + timedelta(seconds=30),
    )
    operation.refresh_from_db()
    return operation
