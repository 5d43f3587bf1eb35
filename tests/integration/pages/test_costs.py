"""What each page asks of the database: exactly as often as costs.json says, whether the pool has 80 devices or 800.

A page that is missing there fails. `WRITE_COSTS=yes pytest tests/integration/pages/test_costs.py` writes the figures of
the database that it runs on; read the difference before you commit it.
"""

import gc
import json
import os
from datetime import timedelta
from functools import cache
from importlib import import_module
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from pytest_django import Settings

from devices.lab import LabPlan, seed
from devices.models import Device, Image, Journal
from lifeguard.bulk.models import Batch
from lifeguard.bulk.progress import advance
from lifeguard.models import Install
from mozpool_site import clock
from pages import attention, live
from pages.home import glance
from pages.shell import changes
from pages.statistics import report
from requests_app.memory import Memory
from requests_app.models import Request
from tests.browser.addresses import PARTS, routes
from tests.browser.world import fill

pytestmark = pytest.mark.django_db
_BASELINE = Path(__file__).with_name("costs.json")
# Issue 4: no page above this.
_MOST = 15
# Of the admin's, these are the pages that people work on.
_OF_ADMIN = ("_changelist", "_change")


def lab(devices: int) -> None:
    """Seed a lab with a month behind it, a part of it broken."""
    made = seed(LabPlan(racks=devices // 40, devices=devices, network=IPv4Network("127.64.0.0/16")))
    now, image = clock.now(), Image.objects.get(name="android")
    moments = [now - timedelta(days=30) * (1 - place / len(made)) for place in range(len(made))]
    Request.objects.bulk_create(
        Request(
            state="closed", image=image, assignee="ci", owner="ci", created=then, turn=then, last_device=device,
            expires=then + timedelta(hours=1), matched_at=then, ready_at=then + timedelta(minutes=2),
            ended=then + timedelta(minutes=40),
        )
        for device, then in zip(made, moments, strict=True)
    )  # fmt: skip
    Install.objects.bulk_create(
        Install(
            device=device, image=image, config_digest="0" * 64, succeeded=device.pk % 9 > 0, healthy_before=True,
            finished=then,
        )
        for device, then in zip(made, moments, strict=True)
    )  # fmt: skip
    Journal.objects.bulk_create(
        Journal(time=then, device_id=device.pk, event="x", to_state="ready", message="entering state ready")
        for device in made
        for then in moments[:3]
    )
    broken = [device.pk for device in made[10::20]]
    Device.objects.filter(pk__in=broken).update(
        state="failed_self_test", health="bad", quarantine_reason="fan", deadline=None, idle_since=None
    )


@cache
def memories() -> list[Memory[object]]:
    """Find all that the process has, also those that are added one day; those of the reports come and go."""
    assert get_resolver().url_patterns, "loads all modules"
    return [one for one in gc.get_objects() if isinstance(one, Memory)]


def forget() -> None:
    """Have each page ask for all that it shows, as the first look after a start does."""
    for one in (changes, glance, live, attention, report.reports):
        one.forget()
    for memory in memories():
        memory.forget()
    ContentType.objects.clear_cache()


def measured(client: Client) -> dict[str, int]:
    """Count the queries of each page."""
    # A test that commits empties all tables behind it, and with them what the migration had put there.
    import_module("devices.migrations.0002_roles").create(apps, None)
    world, costs = fill(), {}
    # Whoever looks at a batch pushes it on: that is work, and not what its page costs.
    advance(world["batch"], budget_seconds=10)
    assert Batch.objects.get(pk=world["batch"]).finished is not None
    client.force_login(User.objects.get(username="root"))
    for route in routes():
        if not (route.name.endswith(_OF_ADMIN) or not route.template.startswith("admin/")):
            continue
        forget()
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(route.path(world), headers={"X-Live": "1"} if route.name in PARTS else {})
        assert answer.status_code in (200, 204), (route.template, answer.status_code)
        costs[route.template or "/"] = len(asked)
    return costs


@pytest.mark.parametrize("devices", [80, 800])
def test_each_page_asks_as_often_as_its_baseline_says_however_many_devices_there_are(
    client: Client, settings: Settings, devices: int
) -> None:
    # To make good passwords takes seconds.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    lab(devices)
    costs = measured(client)
    baseline = json.loads(_BASELINE.read_text()) if _BASELINE.exists() else {}
    if os.environ.get("WRITE_COSTS") == "yes":
        baseline[connection.vendor] = costs
        _BASELINE.write_text(json.dumps(baseline, indent=1, sort_keys=True) + "\n")
    assert costs == baseline[connection.vendor]
    # A part also asks whether anything has changed, and mostly stops there.
    whole = {route.template or "/" for route in routes() if route.name not in PARTS}
    assert {page: cost for page, cost in costs.items() if page in whole and cost > _MOST} == {}
