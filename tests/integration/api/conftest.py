"""Every API test has the recorded pool, and three networks: old clients', operators', and everybody else's."""

from importlib import import_module
from ipaddress import ip_network

import pytest
from django.apps import apps
from django.test import Client
from pytest_django import Settings

from tests.integration.api import pool
from tests.integration.api.unchanged import unchanged

__all__ = ["old_client", "operator", "recorded_pool", "stranger", "unchanged"]

OLD_CLIENT, OPERATOR, STRANGER = "10.1.0.5", "10.2.0.5", "192.0.2.5"


@pytest.fixture(autouse=True)
def recorded_pool(db: None, settings: Settings) -> None:
    """Build the pool, and switch legacy mode on. Devices (127.9.0.0/16) count among the old clients."""
    settings.MOZPOOL_BASE_URL = "http://mozpool.example"
    settings.MOZPOOL_IMAGE_HOSTS = ("x", ".build.example", "[::1]")
    settings.MOZPOOL_TRUSTED_NETWORKS = (ip_network("10.1.0.0/16"), ip_network("127.9.0.0/16"))
    settings.MOZPOOL_TRUSTED_OPERATOR_NETWORKS = (ip_network("10.2.0.0/16"),)
    settings.MOZPOOL_TRUSTED_PROXIES = (ip_network("10.3.0.0/16"),)
    settings.MOZPOOL_CORS_ORIGINS = ("http://other.server:1234",)
    # A test that commits empties all tables behind it, and with them what the migration had put there.
    import_module("devices.migrations.0002_roles").create(apps, None)
    pool.build()


@pytest.fixture
def old_client() -> Client:
    """Give a client such as release automation has used since 2012: no credentials, a trusted address."""
    return pool.at(OLD_CLIENT)


@pytest.fixture
def operator() -> Client:
    """Give a client without credentials in the operators' network."""
    return pool.at(OPERATOR)


@pytest.fixture
def stranger() -> Client:
    """Give a client that nobody knows."""
    return pool.at(STRANGER)
