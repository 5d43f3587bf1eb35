"""The queries that run for every request and every second go along an index, on a pool of five thousand devices.

MariaDB's EXPLAIN is asked about the very statements that the code sends.
"""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bmm import operations
from bmm.drain import _due
from bmm.models import Kind, Operation, Status
from devices.journal import append, line
from devices.listing import lines_of_device, lines_of_request
from devices.models import Device, PowerController
from mozpool_site import clock
from requests_app import serving
from requests_app.models import Request
from requests_app.waiting.queue import queue
from tests.beats import pool_beats, rack_beats
from tests.factories import make_controller, make_devices, make_image, make_rack, make_request
from tests.statements import tables_read

pytestmark = pytest.mark.django_db(transaction=True)
DEVICES = 5000
# More than that and a query has looked at rows that it did not want.
FEW = 600


def fill_pool() -> None:
    """Fill a pool: most devices at work, a hundred idle, each with old operations and journal lines."""
    image, other = make_image(), make_image("b2g")
    now = clock.now()
    racks = [make_rack(f"p{number}") for number in range(1, 11)]
    board = make_controller(rack=racks[0])
    for number, rack in enumerate(racks):
        busy = make_devices(
            DEVICES // 10 - 10,
            rack=rack,
            state="pxe_booting",
            deadline=now + timedelta(seconds=100),
            image=other,
        )
        make_devices(
            10,
            rack=rack,
            image=image if number % 2 else other,
            environment=("production", "staging")[number % 2],
            idle_since=now - timedelta(seconds=number),
        )
        Operation.objects.bulk_create(
            Operation(
                device=device,
                rack=rack,
                controller=board,
                kind=Kind.POWER_CYCLE,
                status=Status.DONE,
                created=now,
                not_before=now,
                finished=now,
            )
            for device in busy
        )
        append(line("entering state pxe_booting", now, device_id=device.pk) for device in busy)
    Request.objects.bulk_create(
        Request(image=image, state="closed", assignee="old", expires=now, ended=now) for _ in range(DEVICES)
    )
    request = make_request(image, environment="nowhere")
    append([line("entering state finding_device", now, request_id=request.pk)])
    with connection.cursor() as cursor:
        cursor.execute(
            "ANALYZE TABLE devices_device, bmm_operation, devices_journal, requests_app_request, devices_rack"
        )
        cursor.fetchall()


def scans(action: Callable[[], object]) -> list[str]:
    """Do something; give the SELECTs, UPDATEs and table names of which MariaDB reads more rows than a few."""
    with CaptureQueriesContext(connection) as captured:
        action()
    found, looked = [], 0
    for query in captured.captured_queries:
        statement = query["sql"]
        if not statement.startswith(("SELECT", "UPDATE")):
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN FORMAT=JSON {statement}")
            plan = json.loads(cursor.fetchone()[0])
        for table in tables_read(plan):
            looked += 1
            whole = table["access_type"] in ("ALL", "index")
            if table.get("rows", 0) > FEW or (whole and table.get("rows", 0) > 100):
                found.append(
                    f"{table['access_type']} {table.get('key')} {table.get('rows')} rows: {statement[:300]}"
                )
    assert looked, "nothing was read: the test looks at nothing"
    return found


def hot() -> dict[str, Callable[[], object]]:
    """Name what runs for every request, every operation or every second."""
    now = clock.now()
    busy = Device.objects.filter(state="pxe_booting").latest("pk")
    idle = Device.objects.filter(state="ready").latest("pk")
    waiting = Request.objects.get(state="finding_device")
    queued = operations.queue(busy, Kind.PING, now)
    controller = PowerController.objects.get()
    return {
        "a device that came free": lambda: serving.match_device(idle.pk),
        "matching whoever waits": serving.match_waiting,
        "the queue": lambda: queue.anew(now),
        "a relay board's queue": lambda: list(_due(controller.pk, now)),
        "a claim": lambda: operations.claim(queued, now),
        "calling off": lambda: operations.supersede(busy),
        "a device's journal": lambda: lines_of_device(busy.pk, 50),
        "a request's journal": lambda: lines_of_request(waiting.pk, 50),
        "a beat over one rack": lambda: rack_beats("p1").beat(clock.now()),
        "a beat over all racks": lambda: rack_beats().beat(clock.now()),
        "a beat over the pool": lambda: pool_beats().beat(clock.now()),
    }


def test_nothing_that_runs_often_scans_a_table() -> None:
    if connection.vendor != "mysql":
        pytest.skip("MariaDB only: its plans are what must be right at 80,000 devices")
    fill_pool()
    found = {name: scans(action) for name, action in hot().items()}
    assert {name: scanned for name, scanned in found.items() if scanned} == {}
    # And one that must be noticed, or the above would tell nothing.
    noticed = scans(lambda: list(Device.objects.filter(comments="nowhere")))
    assert [plan[:9] for plan in noticed] == ["ALL None "]
