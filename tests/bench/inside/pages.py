"""Inside a process that has started as a web process does: fills a pool with a month of work, and looks at pages.

Each page is looked at in a process of its own, forked when no page has been yet: it remembers nothing of the pool.
"""

import time
from datetime import timedelta
from http import HTTPStatus
from multiprocessing import get_context

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

# As in a web process: it loads what the first call would.
import mozpool_site.asgi  # noqa: F401 - loaded for that alone
from devices.models import Device, Image, Journal
from lifeguard.models import Install
from mozpool_site import clock
from requests_app.daily import add_up_next, add_up_next_hour
from requests_app.models import Request
from tests.bench.child import Order

_DAYS = 30
_client = Client()


class PageFailed(AssertionError):
    """A page answered with something else than itself: no figure counts."""


def answer(order: Order) -> Order:
    """Carry out {fill: requests, journal: lines}, or {path, processes, times}: look at a page.

    Gives the queries of a first look, the seconds of the first look of each process, and of `times` more of the last.
    """
    if "fill" in order:
        _fill(order["fill"], order["journal"])
        return {}
    path = order["path"].format(request=Request.objects.order_by("-pk").values_list("pk", flat=True)[0])
    looks = [0] * (order["processes"] - 1) + [order["times"]]
    told = [in_new_process(path, times) for times in looks]
    queries = max(queries for queries, _ in told)
    return {"queries": queries, "first": [seconds[0] for _, seconds in told], "seconds": told[-1][1][1:]}


def in_new_process(path: str, times: int) -> tuple[int, list[float]]:
    """Look in a process of its own, and `times` more; give the queries of the first look and the seconds of each."""
    connections.close_all()  # not to be shared with the fork
    with get_context("fork").Pool(1) as one:
        return one.apply(_looks, (path, times))


def _looks(path: str, times: int) -> tuple[int, list[float]]:
    """Look for the first time, and again; give the queries of the first look and the seconds of each."""
    # It also opens the connection to the database. To note each query takes time: only the first look is counted.
    with CaptureQueriesContext(connection) as asked:
        first = _look(path)
    return len(asked), [first, *(_look(path) for _ in range(times))]


def _look(path: str) -> float:
    begun = time.perf_counter()
    response = _client.get(path)
    seconds = time.perf_counter() - begun
    if response.status_code != HTTPStatus.OK:
        raise PageFailed(f"{path}: {response.status_code}")
    return seconds


def log_in(role: str) -> None:
    """Have somebody look from now on."""
    settings.ALLOWED_HOSTS = ["*"]
    user = User.objects.create(username=role)
    user.groups.add(Group.objects.get(name=role))
    _client.force_login(user)
    _client.handler.load_middleware()  # as a web process does at its start


def _fill(requests: int, lines: int) -> None:
    log_in("operator")
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
    # As the pulse does, an hour and a day at a time.
    while add_up_next_hour(now) or add_up_next(now):
        pass
    failed = [device.pk for device in devices[::40]]
    Device.objects.filter(pk__in=failed).update(
        state="failed_self_test", health="bad", quarantine_reason="it failed", deadline=None, idle_since=None
    )
