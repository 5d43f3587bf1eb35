"""A page costs as many rows as it shows, whatever the pool holds: counted by MariaDB itself, for all that we offer."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from bmm.models import Kind, Operation, Status
from devices.models import Device, Journal, PowerController
from mozpool_site import clock
from tests.factories import make_devices, make_image, make_rack
from tests.integration.api.v2.calls import get

pytestmark = [
    pytest.mark.skipif("mysql" not in connection.settings_dict["ENGINE"], reason="asks MariaDB to count"),
    pytest.mark.django_db(transaction=True),
]
RACKS, EACH = 200, 100
# A page of 100 reads its rows, the row after, what they point at, and what the filter's name means; a rack, all of it.
ENOUGH = 900
DEVICE_FILTERS = (
    "", "state=ready", "state=failed_self_test", "state=gone", "rack=p7", "environment=production", "environment=rare",
    "hardware_type=panda/es-b3", "image=android", "image=b2g", "health=good", "health=bad", "held=true", "held=false",
    "idle=true", "idle=false", "search=panda", "search=zebra", "state=ready&rack=p7",
)  # fmt: skip
BY_TIME = ("", "state=ready", "state=failed_self_test", "rack=p7", "rack=p7&health=good")
OPERATION_FILTERS = ("", "status=failed", "kind=ping", "device={device}")
LISTS = (
    *(f"devices/?ordering={sign}name&{one}" for one in DEVICE_FILTERS for sign in ("", "-")),
    *(f"devices/?ordering={sign}state_since&{one}" for one in BY_TIME for sign in ("", "-")),
    *(f"operations/?ordering={sign}id&{one}" for one in OPERATION_FILTERS for sign in ("", "-")),
    *(f"journal/?ordering={sign}time&{one}" for one in ("", "device={device}", "request=7") for sign in ("", "-")),
)  # fmt: skip


@pytest.fixture
def large_pool(recorded_pool: None) -> str:
    """Fill a pool, and give the name of a device with a history."""
    image, now = make_image("linux"), clock.now()
    for number in range(RACKS):
        rack = make_rack(f"p{number}")
        board = PowerController.objects.create(name=f"board-{number}", rack=rack, address="127.0.0.1:1")
        rare = number == RACKS - 1
        devices = make_devices(
            EACH,
            rack=rack,
            state="failed_self_test" if rare else "ready",
            environment="rare" if rare else "production",
            health="bad" if rare else "good",
            image=None if rare else image,
            state_since=now - timedelta(seconds=number % 7),
        )
        Operation.objects.bulk_create(
            Operation(
                device=device, rack=rack, controller=board, kind=Kind.PING if rare else Kind.POWER_CYCLE,
                status=Status.FAILED if rare else Status.DONE, created=now, not_before=now,
            )
            for device in devices
        )  # fmt: skip
        Journal.objects.bulk_create(Journal(device_id=device.pk, message="x") for device in devices)
    Device.objects.filter(rack__name__in=["p1", "p2"]).update(idle_since=None)
    for taken in Device.objects.filter(rack__name="p1"):
        Device.objects.filter(pk=taken.pk).update(held_by=taken.pk)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE devices_device, bmm_operation, devices_journal")
        cursor.fetchall()
    return str(Device.objects.filter(rack__name="p3").values_list("name", flat=True)[0])


def rows_read(client: Client, path: str) -> int:
    """Make a call, and have MariaDB say how many rows it read for it."""
    with connection.cursor() as cursor:
        cursor.execute("FLUSH STATUS")
    answer = get(client, path)
    assert answer.status_code == 200, answer.content
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


def test_no_page_reads_more_rows_than_it_shows(large_pool: str, operator: Client) -> None:
    wasteful = {}
    for path in LISTS:
        url = path.format(device=large_pool)
        for _ in range(3):
            read = rows_read(operator, url)
            if read > ENOUGH:
                wasteful[url[:120]] = read
            following = get(operator, url).json()["next"]
            if not following:
                break
            url = following.rpartition("/api/v2/")[2]
    assert wasteful == {}
