"""Creates the four roles as groups; what each may do is decided in code, by name."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

ROLES = ("viewer", "requester", "operator", "admin")


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the groups; those that exist stay as they are."""
    groups = apps.get_model("auth", "Group").objects
    for name in ROLES:
        groups.get_or_create(name=name)


class Migration(migrations.Migration):
    """Undoing it keeps the groups: people are in them."""

    dependencies = (
        ("devices", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    )
    operations = (migrations.RunPython(create, migrations.RunPython.noop),)
