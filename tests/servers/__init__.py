"""Private servers for tests, benches and the demo: real ones on free loopback ports, gone when their parent is gone.

    from tests.servers.mariadb import MariaDB
    from tests.servers.redis import Redis

    with MariaDB() as database, Redis() as broker:
        variables = {**os.environ, "DATABASE_URL": database.url, "MOZPOOL_BROKER_URL": broker.url}
        subprocess.run([...], env=variables)

Nothing is kept between runs: each server has a fresh folder below the temporary folder, and removes it. Nothing is
imported here, because the demo, which needs `redis`, is installed without what `mariadb` needs.
"""
