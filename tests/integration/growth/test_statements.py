"""No statement of a page or a call reads more than it shows, however long the pool has been at work.

Each is made against tables of years, nothing remembered, and the database itself tells how many rows it read; one that
read too many is told with its plan.
"""

import pytest
from django.test import Client

from tests.integration.growth.conftest import COUNTED, SEARCHED, forget
from tests.large_pool import Size
from tests.statements import Statement, watched

# A page has a hundred rows and what they point at; a list of the administration looks at some hundreds more.
ENOUGH = SEARCHED + COUNTED + 500
ADMIN_LISTS = (
    "bmm/operation/", "bmm/operation/?status__exact=failed", "bmm/operation/?kind__exact=ping",
    "bmm/operation/?status__exact=failed&kind__exact=ping", "bmm/operation/?rack__id__exact={rack}",
    "bmm/operation/?q=panda-100011", "bmm/operation/?q=7", "bmm/operation/?q=7&status__exact=failed",
    "lifeguard/install/", "lifeguard/install/?succeeded__exact=0", "lifeguard/install/?image__id__exact={image}",
    "lifeguard/install/?q=panda-100011", "lifeguard/install/?q=7",
    "requests_app/request/", "requests_app/request/?state=closed",
    "requests_app/request/?state=failed_device_not_found",
    "requests_app/request/?state=pending", "requests_app/request/?image__id__exact={image}",
    "requests_app/request/?image__id__exact={image}&state=closed", "requests_app/request/?q=panda-100011",
    "requests_app/request/?q=person-7", "requests_app/request/?q=nobody", "requests_app/request/?q=7",
    "requests_app/delivery/", "requests_app/delivery/?status__exact=waiting", "requests_app/delivery/?q=request:7",
    "requests_app/delivery/?q={webhook}", "requests_app/delivery/?q=msg_7", "requests_app/attempt/",
    "requests_app/attempt/?q=7", "requests_app/dailyfigures/",
    "access/auditentry/", "access/auditentry/?q=user-7", "access/auditentry/?q=panda-100011",
    "access/auditentry/?q=nobody",
    "devices/journal/", "devices/journal/?source__exact=machine", "devices/journal/?source__exact=user",
    "devices/journal/?q=panda-100011", "devices/journal/?q=7",
    "devices/device/", "devices/device/?family=failed", "devices/device/?rack=p7", "devices/device/?health=flapping",
    "devices/device/?q=panda-1000", "devices/device/?o=-3", "devices/device/?environment=staging",
)  # fmt: skip


def wasteful(client: Client, size: Size, path: str) -> list[Statement]:
    """Look at a page, and give the statements that read too much."""
    forget()
    with watched() as statements:
        answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return [one for one in statements if one.rows > _allowed(one, size)]


def _allowed(statement: Statement, size: Size) -> int:
    """Say how many rows a statement may read: of the devices all, once, if it is about them."""
    return ENOUGH + (size.devices if "devices_device" in statement.sql else 0)


def told(found: list[Statement]) -> str:
    return "\n".join(f"{one.rows} rows: {one.sql[:2000]}\n{one.plan}" for one in found)


@pytest.fixture
def numbers(years: Size, db: None) -> dict[str, int]:
    """Give the numbers that paths name."""
    from devices.models import Image, Rack  # noqa: PLC0415 - Django had to be set up first
    from requests_app.webhooks.models import Webhook  # noqa: PLC0415 - the same

    return {
        "rack": Rack.objects.get(name="p7").pk, "image": Image.objects.get(name="b2g").pk,
        "webhook": Webhook.objects.get().pk,
    }  # fmt: skip


@pytest.mark.parametrize("path", ADMIN_LISTS)
def test_a_list_of_the_administration_reads_little(
    root: Client, years: Size, numbers: dict[str, int], path: str
) -> None:
    found = wasteful(root, years, f"/admin/{path}".format(**numbers))
    assert not found, told(found)
