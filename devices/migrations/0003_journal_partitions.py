"""Partitions the journal by day where the database can: dropping a day must not cost a scan."""

from datetime import UTC, datetime, timedelta

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def partition(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the time part of the key, which MySQL asks for, and begin with today's partition."""
    if schema_editor.connection.vendor != "mysql":
        return
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    schema_editor.execute("ALTER TABLE devices_journal DROP PRIMARY KEY, ADD PRIMARY KEY (id, time)")
    schema_editor.execute(
        "ALTER TABLE devices_journal PARTITION BY RANGE COLUMNS (time) ("
        f"PARTITION d{today:%Y%m%d} VALUES LESS THAN ('{tomorrow}'), "
        "PARTITION later VALUES LESS THAN (MAXVALUE))"
    )


def unpartition(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Go back to one table with its own key."""
    if schema_editor.connection.vendor != "mysql":
        return
    schema_editor.execute("ALTER TABLE devices_journal REMOVE PARTITIONING")
    schema_editor.execute("ALTER TABLE devices_journal DROP PRIMARY KEY, ADD PRIMARY KEY (id)")


class Migration(migrations.Migration):
    """Nothing to do on SQLite."""

    atomic = False
    dependencies = (("devices", "0002_roles"),)
    operations = (migrations.RunPython(partition, unpartition),)
