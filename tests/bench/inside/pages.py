"""Inside a process with Django: fills a pool with a month of work, and looks at pages as an operator does."""

import time
from datetime import timedelta
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Image, Journal
from lifeguard.models import Install
from mozpool_site import clock
from requests_app.models import Request
from tests.bench.child import Order

_DAYS = 30
_client = Client()


class PageFailed(AssertionError):
    """A page answered with something else than itself: no figure counts."""


def answer(order: Order) -> Order:
    """Carry out {fill: requests, journal: lines}, or {path, times}: give queries and seconds of each look."""
    if "fill" in order:
        _fill(order["fill"], order["journal"])
        return {}
    path = order["path"].format(request=Request.objects.order_by("-pk").values_list("pk", flat=True)[0])
    # To note each query takes time: only the first look is counted.
    with CaptureQueriesContext(connection) as asked:
        first = _look(path)
    return {"queries": len(asked), "first": first, "seconds": [_look(path) for _ in range(order["times"])]}


def _look(path: str) -> float:
    begun = time.perf_counter()
    response = _client.get(path)
    seconds = time.perf_counter() - begun
    if response.status_code != HTTPStatus.OK:
        raise PageFailed(f"{path}: {response.status_code}")
    return seconds


def _fill(requests: int, lines: int) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    user = User.objects.create(username="operator")
    user.groups.add(Group.objects.get(name="operator"))
    _client.force_login(user)
    now = clock.now()
    devices = list(Device.objects.order_by("pk"))
    images = list(Image.objects.filter(hidden=False))
    moments = [now - timedelta(days=_DAYS) * (1 - place / requests) for place in range(requests)]
    Request.objects.bulk_create(
        (
            Request(
                state="closed", image=images[place % len(images)], assignee="ci", owner="ci", created=filed, turn=filed,
                expires=filed + timedelta(hours=1), matched_at=filed + timedelta(seconds=place % 90),
                ready_at=filed + timedelta(seconds=90 + place % 300),
                ended=filed + timedelta(seconds=600 + place % 3000), last_device=devices[place % len(devices)],
            )
            for place, filed in enumerate(moments)
        ),
        batch_size=1000,
    )  # fmt: skip
    Install.objects.bulk_create(
        (
            Install(
                device=devices[place % len(devices)], image=images[place % len(images)], config_digest="0" * 64,
                succeeded=place % 40 > 0, healthy_before=True, finished=filed,
            )
            for place, filed in enumerate(moments)
        ),
        batch_size=1000,
    )  # fmt: skip
    Journal.objects.bulk_create(
        (
            Journal(time=now - timedelta(days=10) * (1 - place / lines), device_id=devices[place % len(devices)].pk,
                    event="power_cycle_ok", to_state="pxe_booting", message="entering state pxe_booting")
            for place in range(lines)
        ),
        batch_size=2000,
    )  # fmt: skip
    failed = [device.pk for device in devices[::40]]
    Device.objects.filter(pk__in=failed).update(
        state="failed_self_test", health="bad", quarantine_reason="it failed", deadline=None, idle_since=None
    )
