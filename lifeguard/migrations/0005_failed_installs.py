"""Installations that failed, by when."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0009_inventory"),
        ("lifeguard", "0004_inventory_readings"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="install",
            index=models.Index(fields=["succeeded", "finished", "device"], name="install_failed"),
        ),
    ]
