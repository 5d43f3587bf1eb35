"""What every test starts from: settings that do not depend on the shell, set before Django reads them.

Tests use SQLite unless DATABASE_URL says otherwise; `make test` runs tests/integration twice, the second time with the
DATABASE_URL of a private MariaDB (`python -m tests.servers run --mariadb -- pytest tests/integration`). Tests that
need their own server, to stop or freeze it, take `private_redis` or `private_mariadb` below.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.servers.environment import forget_other_pools, heed_signals

heed_signals()
# The way out to package indexes, for the few tests that install something.
OUTWARD = {
    name: value for name, value in forget_other_pools(database=False).items() if "proxy" in name.lower()
}
os.environ["DJANGO_SETTINGS_MODULE"] = "mozpool_site.settings"
os.environ["MOZPOOL_SECRET_KEY"] = "unit tests only " + "0123456789abcdef" * 4
# Without it every request of a test would be redirected to HTTPS.
os.environ["MOZPOOL_HTTPS"] = "false"
os.environ["MOZPOOL_IMAGE_HOSTS"] = "127.0.0.1,localhost"
# Storms and queues file hundreds of requests as one owner; the quota's own tests set one.
os.environ["MOZPOOL_MAX_OPEN_REQUESTS"] = "0"
# A port that nothing listens on: a unit test that rings a doorbell must not reach a developer's Redis.
os.environ["MOZPOOL_BROKER_URL"] = "redis://127.0.0.1:1/0"

from tests.servers.mariadb import MariaDB  # noqa: E402 -- the environment comes first
from tests.servers.redis import Redis  # noqa: E402 -- the environment comes first

# Tests have no time of their own by which they fail: a machine may stand still in any of them.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def private_redis() -> Iterator[Redis]:
    """Give a Redis of this session's own; whoever stops or freezes it starts it again."""
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def private_mariadb() -> Iterator[MariaDB]:
    """Give a MariaDB of this session's own, with an empty database; whoever stops it starts it again."""
    with MariaDB() as server:
        yield server
