"""Whether this code can work on a database: every migration that we know is applied, and our keys decrypt it.

Migrations that the database has and we do not know are fine: a newer release has begun to take over.
"""

from contextlib import suppress

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from django.db.migrations.loader import MigrationLoader

from mozpool_site.encrypted import demand_keys
from mozpool_site.errors import MozpoolError

_NAMED = 3


class OldSchemaError(MozpoolError):
    """The database is that of an older release: migrate it first."""

    code = "old_schema"
    http_status = 503
    exit_status = 1


def missing_migrations(alias: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return the names (`devices.0010_x`) of the migrations that the database lacks, sorted."""
    loader = MigrationLoader(connections[alias])
    return sorted(f"{app}.{name}" for app, name in set(loader.graph.nodes) - set(loader.applied_migrations))


def demand_schema() -> None:
    """Raise OldSchemaError, naming what is missing, unless the database has our schema.

    Raise OperationalError where the database cannot be asked.
    """
    missing = missing_migrations()
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise OldSchemaError(
            f"the database is older than this release: it lacks the migrations {', '.join(missing[:_NAMED])}{more}; "
            "run manage.py migrate"
        )


def demand_schema_if_reachable() -> None:
    """Raise OldSchemaError or EncryptionKeyError where processes can't work on the database as it is.

    One that is away at the moment is no reason not to start.
    """
    with suppress(DatabaseError, InterfaceError):
        demand_schema()
        demand_keys()
    connections.close_all()
