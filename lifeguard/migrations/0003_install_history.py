"""What a month of installations is counted by, in one index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0009_inventory"),
        ("lifeguard", "0002_bulk"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="install",
            index=models.Index(fields=["finished", "image", "succeeded"], name="install_history"),
        ),
        migrations.RemoveIndex(
            model_name="install",
            name="install_time",
        ),
    ]
