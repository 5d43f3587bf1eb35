"""People with roles, whatever earlier tests have emptied."""

from importlib import import_module

import pytest
from django.apps import apps


@pytest.fixture(autouse=True)
def roles(db: None) -> None:
    """Have the four groups: a test that commits empties all tables behind it, these with them."""
    import_module("devices.migrations.0002_roles").create(apps, None)
