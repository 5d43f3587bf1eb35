from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import mozpool_site.encrypted


def encrypt(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Encrypt what is there in the clear."""
    controller = apps.get_model("devices", "PowerController")
    mozpool_site.encrypted.encrypt_anew(controller, controller._meta.get_field("settings"))


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0014_suspect_help_text"),
    ]

    operations = [
        migrations.AlterField(
            model_name="powercontroller",
            name="settings",
            field=mozpool_site.encrypted.EncryptedJSONField(
                blank=True, default=dict, help_text="What the driver needs beyond the address."
            ),
        ),
        migrations.RunPython(encrypt),
    ]
