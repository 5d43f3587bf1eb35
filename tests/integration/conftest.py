"""Integration tests run on a real database, over several connections at once.

SQLite by default, in a file with WAL as in production (Django's own choice for tests, in memory, locks differently);
whatever DATABASE_URL names otherwise.
"""

from pathlib import Path

import django
import pytest
from django.db import connections

# What these test is the same on every database: sockets, files, scripts, words and pages. One database will do.
ONE_DATABASE = (
    "admin/",
    "access/test_admin_roles.py",
    "api/v2/test_problems.py",
    "commands/test_bad_calls.py",
    "commands/test_documents.py",
    "commands/test_relay.py",
    "commands/test_words.py",
    "deploy/",
    "netboot/test_live_",
    "netboot/test_tftp",
    "web/",
)
_HERE = Path(__file__).parent

# pytest-django looked for settings before tests/conftest.py had named them.
django.setup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever needs no second database."""
    for item in items:
        if item.path.is_relative_to(_HERE) and str(item.path.relative_to(_HERE)).startswith(ONE_DATABASE):
            item.add_marker(pytest.mark.one_database)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Put the test's SQLite database into a file; each process of a parallel run has a database of its own."""
    database = connections.databases["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(autouse=True)
def nothing_remembered_of_racks() -> None:
    """Let no test see what the one before found: its racks had the same numbers."""
    from devices import queues, snapshots  # noqa: PLC0415 - Django had to be set up first
    from requests_app import outages  # noqa: PLC0415

    queues.forget()
    snapshots.forget()
    outages.forget()
