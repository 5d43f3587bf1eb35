"""Integration tests run on a real database, over several connections at once.

SQLite by default, in a file with WAL as in production (Django's own choice for tests, in memory, locks differently);
whatever DATABASE_URL names otherwise.
"""

from pathlib import Path

import django
import pytest
from django.db import connections

# Engine, claims and queues are tried on both databases (`make test`): there the two differ. Everything else is tried
# once, on whichever asks more of it. What needs no database to speak of is cheapest on SQLite;
ON_SQLITE = (
    "access/",
    "admin/",
    "api/v2/test_problems.py",
    "commands/",
    "deploy/",
    "inventory/test_sources.py",
    "inventory/test_check_rack.py",
    "netboot/",
    "syslog/test_process.py",
    "web/",
)
# what reads and writes much as in production goes to the production database.
ON_MARIADB = ("api/", "bulk/", "inventory/", "pages/", "syslog/", "webhooks/")
_HERE = Path(__file__).parent

# pytest-django looked for settings before tests/conftest.py had named them.
django.setup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever is tried on one database only."""
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        name = str(item.path.relative_to(_HERE))
        if name.startswith(ON_SQLITE):
            item.add_marker(pytest.mark.on_sqlite)
        elif name.startswith(ON_MARIADB) and not item.get_closest_marker("on_sqlite"):
            item.add_marker(pytest.mark.on_mariadb)


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
    from bmm import controller_traits  # noqa: PLC0415 - Django had to be set up first
    from devices import queues, snapshots  # noqa: PLC0415
    from mozpool_site.pulse import parking  # noqa: PLC0415
    from requests_app.free_devices import outages  # noqa: PLC0415

    controller_traits.forget()
    queues.forget()
    snapshots.forget()
    outages.forget()
    parking.forget()
