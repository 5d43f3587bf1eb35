from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import mozpool_site.encrypted


def encrypt(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Encrypt what is there in the clear."""
    webhook = apps.get_model("requests_app", "Webhook")
    mozpool_site.encrypted.encrypt_anew(webhook, webhook._meta.get_field("secret"))


class Migration(migrations.Migration):
    # Rows are locked a slice at a time.
    atomic = False

    dependencies = [
        ("requests_app", "0013_hourly_figures"),
    ]

    operations = [
        migrations.AlterField(
            model_name="webhook",
            name="secret",
            field=mozpool_site.encrypted.EncryptedTextField(
                blank=True, default="", help_text="Signs; nobody is shown it."
            ),
        ),
        migrations.RunPython(encrypt),
    ]
