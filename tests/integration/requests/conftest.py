"""People who call the v2 API, each with a session, and a memory that is wiped between tests."""

from collections.abc import Callable
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from requests_app.snapshot import stock
from requests_app.waiting.history import history
from requests_app.waiting.queue import queue

Person = Callable[..., Client]


@pytest.fixture(autouse=True)
def nothing_remembered(settings: Settings) -> None:
    """Let no test see what the one before found in the pool, the queue and the past."""
    settings.MOZPOOL_BASE_URL = "http://mozpool.example"
    for memory in (stock, queue, history):
        memory.forget()


@pytest.fixture
def person(transactional_db: None) -> Person:
    """Give a maker of clients: `person("alice")` files requests, `person("olga", "operator")` may do more."""
    # A test that commits empties all tables behind it, and with them what the migration had put there.
    import_module("devices.migrations.0002_roles").create(apps, None)

    def make(name: str, group: str = "requester") -> Client:
        user = User.objects.create(username=name)  # a session needs no password, and hashing one takes long
        user.groups.add(Group.objects.get_or_create(name=group)[0])
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def alice(person: Person) -> Client:
    """Give somebody who files requests."""
    return person("alice")


@pytest.fixture
def operator(person: Person) -> Client:
    """Give an operator."""
    return person("olga", "operator")


@pytest.fixture
def viewer(person: Person) -> Client:
    """Give somebody who may only look."""
    return person("victor", "viewer")
