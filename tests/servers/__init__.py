"""Private servers for tests and benches: real MariaDB and Redis on free loopback ports, gone when their parent is gone.

    with MariaDB() as database, Redis() as broker:
        subprocess.run([...], env={**os.environ, "DATABASE_URL": database.url, "MOZPOOL_BROKER_URL": broker.url})

Nothing is kept between runs: each server has a fresh folder below the temporary folder, and removes it.
"""

from tests.servers.mariadb import MariaDB
from tests.servers.process import ServerFailed
from tests.servers.redis import Redis

__all__ = ["MariaDB", "Redis", "ServerFailed"]
