"""A pool that has been at work for long, made once for all tests of a file, and people who look at it."""

import gc
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from devices import admin_base
from mozpool_site import clock
from pages import attention, live
from pages.home import glance
from pages.images import catalogue
from pages.shell import changes
from pages.statistics import queries, report
from requests_app import lists
from requests_app.daily import add_up_next, add_up_next_hour
from requests_app.free_devices import outages
from requests_app.memory import Memory
from tests.large_pool import Size, fill

SIZE = Size(
    devices=4_000,
    requests=40_000,
    installs=40_000,
    operations=40_000,
    journal=40_000,
    audit=20_000,
    deliveries=20_000,
)
# Instead of 50,000 and 10,000: so a table need not have millions of rows to show that a list looks at few of them.
SEARCHED, COUNTED = 900, 500


@pytest.fixture(scope="module")
def years(django_db_setup: None, django_db_blocker: Any) -> Iterator[Size]:
    """Fill the database, and empty it after the last test of the file."""
    with django_db_blocker.unblock():
        import_module("devices.migrations.0002_roles").create(apps, None)
        fill(SIZE)
        # As the pulse does, an hour and a day at a time.
        while add_up_next_hour(clock.now()) or add_up_next(clock.now()):
            pass
        yield SIZE
        call_command("flush", verbosity=0, interactive=False)
        import_module("devices.migrations.0002_roles").create(apps, None)


@pytest.fixture
def root(years: Size, db: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Give the browser of somebody who may see everything, whose windows into history are small."""
    monkeypatch.setattr(admin_base, "SEARCHED", SEARCHED)
    monkeypatch.setattr(admin_base, "MOST_COUNTED", COUNTED)
    monkeypatch.setattr(admin_base, "MOST_FOUND", COUNTED)
    monkeypatch.setattr(lists, "SEARCHED", SEARCHED)
    monkeypatch.setattr(queries, "SAMPLE", SEARCHED)
    monkeypatch.setattr(catalogue, "SAMPLE", SEARCHED)
    client.force_login(User.objects.create(username="root", is_superuser=True, password="!"))
    return client


def forget() -> None:
    """Have each page ask for all that it shows, as the first look after a start does."""
    for one in (changes, glance, live, attention, outages, report.reports):
        one.forget()
    for memory in _memories():
        memory.forget()
    ContentType.objects.clear_cache()


@cache
def _memories() -> "list[Memory[Any]]":
    """Return what modules remember; to look for it among all objects takes longer than most pages."""
    assert get_resolver().url_patterns  # which has all modules imported
    return [one for one in gc.get_objects() if type(one) is Memory]
