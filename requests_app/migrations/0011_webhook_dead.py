"""Webhooks that were given up are found among those of years."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("requests_app", "0010_waiting"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="webhook",
            index=models.Index(fields=["dead_since"], name="webhook_dead"),
        ),
    ]
