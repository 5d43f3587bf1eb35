"""A small pool, and somebody who may do everything the admin offers."""

from ipaddress import IPv4Network

import pytest
from django.contrib.auth.models import User
from django.test import Client

from devices.lab import LabPlan, seed
from devices.models import Device


@pytest.fixture
def pool(db: None) -> list[Device]:
    """Give the devices of a simulated lab: two racks, four devices."""
    return seed(LabPlan(racks=2, devices=4, network=IPv4Network("127.64.0.0/16")))


@pytest.fixture
def admin(db: None, client: Client) -> Client:
    """Give a browser in which a superuser is logged in."""
    # No password: hashing one takes longer than a test.
    client.force_login(User.objects.create(username="root", is_superuser=True, is_staff=True, password="!"))
    return client
