"""How many queries each legacy endpoint costs: a committed baseline, however many rows there are.

A number that grows is explained in the commit that changes it here. MariaDB is asked for the time besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from bmm import asking
from devices.models import Device, Journal
from requests_app.models import Request
from tests.integration.api import pool

ORDER: dict[str, object] = {"assignee": "me@x", "duration": 3600, "image": "b2g", "b2gbase": "http://x/y"}
# What a transaction sends of its own; inside a test's transaction it is savepoints.
OWN = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK")


@dataclass(frozen=True)
class Cost:
    """Statements that an operator's call sends on SQLite, transactions apart; `clock`: as many more on MariaDB."""

    queries: int
    clock: int = 0
    body: Any = None


COSTS = {
    "version": Cost(0),
    "image/list": Cost(1),
    "environment/list": Cost(1),
    "device/list": Cost(1),
    # Racks, images and power controllers are few: read whole, not joined to each of many devices.
    "device/list?details": Cost(4),
    "device/device1/state": Cost(1),
    "device/device1/status": Cost(2),
    "device/device1/log": Cost(2),
    "device/device1/log?limit=5&timeperiod=60": Cost(2, clock=1),
    "device/device1/bootconfig": Cost(1),
    "bmm/pxe_config/list": Cost(1),
    "bmm/pxe_config/list?active_only": Cost(1),
    "bmm/pxe_config/fake-b2g/details": Cost(1),
    "request/list": Cost(1),
    "request/list?include_closed": Cost(1),
    "request/ID/details": Cost(2),
    "request/ID/status": Cost(2),
    "request/ID/log": Cost(2),
}

CHANGES = {
    "device/device2/request": Cost(11, 1, ORDER),
    "device/any/request": Cost(11, 1, ORDER),
    "device/device1/request": Cost(11, 1, ORDER),
    "request/ID/renew": Cost(4, 0, {"duration": 60}),
    "request/ID/return": Cost(6),
    "request/ID/event/foo": Cost(4),
    "device/device1/event/mobile_init_started": Cost(5),
    "device/device1/event/foo": Cost(3, 1),
    "device/device1/state-change/pxe_power_cycling/to/locked_out": Cost(7),
    "device/device1/set-comments": Cost(5, 1, {"comments": "x"}),
    "device/device2/set-environment": Cost(8, 1, {"environment": "x"}),
    "device/device1/power-cycle": Cost(7, 1),
    "device/device1/power-off": Cost(6, 1),
    "device/device1/clear-pxe": Cost(5, 1),
}


def views(patterns: list[URLPattern | URLResolver], route: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, here)
        else:
            yield here, pattern.callback


def statements(client: Client, method: str, path: str, body: Any = None) -> list[str]:
    """Make a call that must do; give what it asked the database, transactions' own statements left out."""
    with CaptureQueriesContext(connection) as captured:
        answer = pool.post(client, path, body) if method == "POST" else client.get(path)
    assert answer.status_code in (200, 204, 409, 503), answer.content
    sent = [query["sql"] for query in captured.captured_queries]
    # Which racks are down is asked once a second, by whichever call comes then.
    return [query for query in sent if not query.startswith(OWN) and "pulse_seen" not in query]


@pytest.fixture
def request_id(operator: Client) -> int:
    """File a request that gets device1."""
    filed = pool.post(operator, "/api/device/device1/request/", ORDER).json()["request"]
    return int(filed["id"])


def fill(request_id: int) -> None:
    """Put forty more of everything into the pool."""
    device = Device.objects.get(name="device2")
    for number in range(40):
        device.pk, device.name, device.mac = None, f"copy{number}", f"ff{number:010x}"
        device.power_controller, device.outlet = None, ""
        device.save(force_insert=True)
    request = Request.objects.get(pk=request_id)
    for _ in range(40):
        request.pk = request.filing_key = None
        request.save(force_insert=True)
    Journal.objects.bulk_create(Journal(device_id=1, message="more") for _ in range(40))
    Journal.objects.bulk_create(Journal(request_id=request_id, message="more") for _ in range(40))


@pytest.mark.parametrize("path", COSTS)
def test_a_look_costs_what_the_baseline_says_however_many_rows_there_are(
    path: str, operator: Client, request_id: int
) -> None:
    cost = COSTS[path]
    expected = cost.queries + (cost.clock if connection.vendor == "mysql" else 0)
    full = f"/api/{path.replace('ID', str(request_id))}"
    few = statements(operator, "GET", full)
    fill(request_id)
    many = statements(operator, "GET", full)
    assert (len(few), len(many)) == (expected, expected), "\n".join(many)


def test_a_cached_state_costs_a_query_for_whoever_asks_first(operator: Client) -> None:
    told = [len(statements(operator, "GET", f"/api/device/device{n}/state/?cache=1")) for n in (1, 1, 2, 1)]
    assert told == [1, 0, 0, 0]


def test_no_look_is_missing_from_the_baseline(request_id: int) -> None:
    looks = set()
    for path in COSTS:
        looks.add(get_resolver().resolve(f"/api/{path.partition('?')[0].replace('ID', '1')}").func)
    changes = {get_resolver().resolve(f"/api/{path.replace('ID', '1')}").func for path in CHANGES}
    waits = {
        get_resolver().resolve(path).func for path in ("/api/device/device1/ping", "/api/relay/relay-1/test")
    }
    served = {
        view
        for route, view in views(get_resolver().url_patterns)
        if route.startswith("api/") and not route.startswith("api/v2/")
    }
    assert served == looks | changes | waits


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_costs_what_the_baseline_says_however_many_rows_there_are(
    path: str, operator: Client, request_id: int
) -> None:
    cost = CHANGES[path]
    fill(request_id)
    full = f"/api/{path.replace('ID', str(request_id))}"
    sent = statements(operator, "POST", full, cost.body)
    expected = cost.queries + (cost.clock if connection.vendor == "mysql" else 0)
    assert len(sent) == expected, "\n".join(sent)


def test_a_ping_costs_its_operation_and_then_a_query_a_look(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    sent = statements(operator, "GET", "/api/device/device1/ping")
    looks = [query for query in sent if query.startswith("SELECT") and "bmm_operation" in query]
    assert 1 <= len(looks) <= 10
    assert len(sent) - len(looks) == 5 + (connection.vendor == "mysql"), "\n".join(sent)


def test_a_relay_test_costs_its_operation_and_then_a_query_a_look(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.1)
    sent = statements(operator, "GET", "/api/relay/relay-1/test")
    looks = [query for query in sent if query.startswith("SELECT") and "bmm_operation" in query]
    assert 1 <= len(looks) <= 10
    assert len(sent) - len(looks) == 5 + (connection.vendor == "mysql"), "\n".join(sent)
