"""People in browsers, and pages that remember nothing of the test before."""

import time
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client

Person = Callable[..., Client]


@pytest.fixture(autouse=True)
def nothing_remembered_of_the_pool() -> None:
    """Let no test see the devices, the counts or the findings of another."""
    from pages import attention, live  # noqa: PLC0415 - Django had to be set up first
    from pages.home import glance  # noqa: PLC0415
    from pages.shell import changes  # noqa: PLC0415

    changes.forget()
    glance.forget()
    live.forget()
    attention.forget()


@pytest.fixture(autouse=True)
def memories_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing that is remembered for a second grow old in the middle of a test on a slow machine."""
    from requests_app import memory  # noqa: PLC0415 - Django had to be set up first

    moment = time.monotonic()
    monkeypatch.setattr(memory, "time", SimpleNamespace(monotonic=lambda: moment))


@pytest.fixture
def someone(db: None) -> Person:
    """Give a maker of people with a role (None: no role at all) who are logged in."""
    # A test that commits empties all tables behind it, and with them what the migration had put there.
    import_module("devices.migrations.0002_roles").create(apps, None)

    def make(role: str | None = "viewer", name: str = "", *, enforce_csrf_checks: bool = False) -> Client:
        user = User.objects.create(username=name or f"a-{role}")
        if role:
            user.groups.add(Group.objects.get_or_create(name=role)[0])
        client = Client(enforce_csrf_checks=enforce_csrf_checks)
        client.force_login(user)
        return client

    return make
