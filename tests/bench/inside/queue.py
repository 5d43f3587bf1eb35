"""Inside a process with Django: fills the queue with builds, puts devices into hands, and times passes of matching."""

import json
import time
from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Image
from mozpool_site import clock
from requests_app.models import Request
from requests_app.serving import match_waiting
from tests.bench.child import Order


def answer(order: Order) -> Order:
    """Carry out {wait: builds}, {hold: devices} or {passes: number}."""
    if "wait" in order:
        return {"first": _wait(order["wait"])}
    if "hold" in order:
        return {"held": _hold(order["hold"])}
    return _passes(order["passes"])


def _request(image: Image, number: int, **columns: object) -> Request:
    now = clock.now()
    build = json.dumps({"b2gbase": f"http://images.example/b2g/{number}/"})
    later = now + timedelta(hours=6)
    return Request(
        image=image, boot_config=build, assignee="bench", expires=later, state_since=now, **columns
    )


def _wait(builds: int) -> int:
    """Let so many builds wait for production, by turns; every other one wants a tag that no device has."""
    image, now = Image.objects.get(name="b2g"), clock.now()
    tags: tuple[list[str], list[str]] = ([], ["nowhere"])
    waits = {"state": "finding_device", "environment": "production", "deadline": now + timedelta(hours=6)}
    rows = [
        _request(image, n, tags=tags[n % 2], turn=now + timedelta(microseconds=n), **waits)
        for n in range(builds)
    ]
    Request.objects.bulk_create(rows, batch_size=1000)
    _analyze()
    return Request.objects.filter(state="finding_device").count()


def _hold(number: int) -> list[int]:
    """Put every device of production into somebody's hands, `number` of them into such as will give them back."""
    image, now = Image.objects.get(name="b2g"), clock.now()
    held = []
    for device in Device.objects.filter(environment="production").order_by("pk"):
        request = _request(image, device.pk, state="ready", environment="any", ready_at=now)
        request.save()
        columns = {"image": image, "boot_config": request.boot_config, "deadline": now + timedelta(hours=6)}
        Device.objects.filter(pk=device.pk).update(
            held_by=request.pk, idle_since=None, state="ready", **columns
        )
        held.append(request.pk)
    _analyze()
    return held[:number]


def _passes(number: int) -> Order:
    match_waiting()  # learns what those who wait want
    times = []
    for _ in range(number):
        begun = time.perf_counter()
        served = match_waiting()
        times.append(time.perf_counter() - begun)
    with CaptureQueriesContext(connection) as asked:
        served += match_waiting()
    return {"times": times, "queries": len(asked), "served": served}


def _analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE devices_device, devices_devicekind, requests_app_request")
        cursor.fetchall()
