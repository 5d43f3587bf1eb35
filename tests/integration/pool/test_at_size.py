"""Matching in a big pool with a long queue: what runs for each request and each returned device reads a few rows.

The databases are asked how they run the very statements that the code sends.
"""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device, DeviceKind
from mozpool_site import clock
from requests_app.free_devices import outages
from requests_app.models import Request
from requests_app.serving import match_device, match_waiting
from tests.factories import file_order, make_devices, make_image, make_request
from tests.statements import tables_read

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = 10_000
# More than that and a query has looked at rows that it did not want.
FEW = 300
_TABLES = "devices_device, devices_devicekind, devices_imagebootconfig, requests_app_request"


def fill() -> None:
    """Fill a pool: half of it idle in production, and more requests than devices, none of which an idle one fits."""
    image, build = make_image(), make_image("b2g", boot_config_keys=["b2gbase"])
    for number in range(FEW):
        make_image(f"old-{number}")
    make_devices(SIZE // 2, environment="production", image=build)
    make_devices(
        SIZE // 2 - 200, environment="staging", state="pxe_booting", deadline=clock.now() + timedelta(hours=1)
    )
    for number in range(20):
        make_devices(
            10,
            environment="production",
            tags=[f"tag-{number}", "usb"],
            state="pxe_booting",
            deadline=clock.now(),
        )
    now = clock.now()
    wishes: list[dict[str, Any]] = [{"environment": "staging"}, *({"tags": [f"tag-{n}"]} for n in range(20))]
    Request.objects.bulk_create(
        (
            Request(
                state="finding_device",
                image=build if number % 2 else image,
                boot_config=json.dumps({"b2gbase": f"http://images.example/{number}/"}),
                assignee="builder",
                deadline=now + timedelta(hours=1),
                expires=now + timedelta(hours=1),
                turn=now + timedelta(milliseconds=number),
                **wishes[number % len(wishes)],
            )
            for number in range(SIZE)
        ),
        batch_size=1000,
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {_TABLES}" if connection.vendor == "mysql" else "ANALYZE")


def dear_on_mariadb(cursor: Any, statement: str) -> list[str]:
    """Give what a statement reads more than a few rows of, or sorts."""
    cursor.execute(f"EXPLAIN FORMAT=JSON {statement}")
    told = cursor.fetchone()[0]
    found = [
        f"{table['access_type']} {table['table_name']} {table.get('key')} {table.get('rows')} rows"
        for table in tables_read(json.loads(told))
        # An ordered walk that a LIMIT ends is told with all the rows that it might read.
        if table.get("rows", 0) > FEW
        and not ("LIMIT 1" in statement and table["access_type"] in ("ref", "range"))
    ]
    sorted_many = "filesort" in told and any(
        table.get("rows", 0) > FEW for table in tables_read(json.loads(told))
    )
    return found + (["filesort"] if sorted_many else [])


def dear_on_sqlite(cursor: Any, statement: str) -> list[str]:
    """Give the scans of whole tables and the sorts of a statement."""
    cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
    steps = [row[3] for row in cursor.fetchall()]
    small = re.compile(r"SCAN (\S*devicekind|U0|devices_hardwaretype|devices_rack)\b|SCAN CONSTANT")
    return [step for step in steps if ("SCAN" in step and not small.match(step)) or "TEMP B-TREE" in step]


def dear(action: Callable[[], object]) -> list[str]:
    """Do something; give what it asks of the pool's big tables that costs more the bigger they are."""
    with CaptureQueriesContext(connection) as captured:
        action()
    explain = dear_on_mariadb if connection.vendor == "mysql" else dear_on_sqlite
    found = []
    asked = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("SELECT")]
    with connection.cursor() as cursor:
        for statement in asked:
            if statement.startswith("SELECT") and (
                "devices_device" in statement or "requests_app_request" in statement
            ):
                found += [f"{step}: {statement[:400]}" for step in explain(cursor, statement)]
    assert asked, "nothing was asked: the test looks at nothing"
    return found


def test_nothing_is_read_or_sorted_whole_in_a_big_pool_with_a_long_queue() -> None:
    fill()
    image = make_image("linux")
    freed = Device.objects.filter(environment="production", idle_since__isnull=False).latest("pk")
    acts: dict[str, Callable[[], object]] = {
        "a pass that finds nothing": match_waiting,
        "a device that nobody wants": lambda: match_device(freed.pk),
        "filing for what is free": lambda: file_order(image),
        "filing for what is not free": lambda: file_order(image, tags=["tag-3"]),
        "filing for a named device": lambda: file_order(image, device=freed),
    }
    assert {name: found for name, act in acts.items() if (found := dear(act))} == {}
    # They did what they say.
    assert Request.objects.filter(image=image, state="pending").count() == 2
    assert DeviceKind.objects.count() == 22


def test_a_pass_over_a_long_queue_asks_no_more_than_one_over_a_short_one() -> None:
    image = make_image()
    for number in range(3):
        make_request(image, tags=["gpu"], boot_config=json.dumps({"build": number}))
    make_devices(2)
    # What it learns for good.
    match_waiting()
    outages.forget()
    # As the pulse, which knows the time.
    now = clock.now()
    with CaptureQueriesContext(connection) as short:
        assert match_waiting(now=now) == 0
    for number in range(300):
        make_request(image, tags=["gpu"], boot_config=json.dumps({"build": number}))
    outages.forget()
    with CaptureQueriesContext(connection) as long:
        assert match_waiting(now=now) == 0
    assert len(long) == len(short) <= 6
