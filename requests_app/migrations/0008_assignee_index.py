"""Lists of the requests for one assignee, the newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0009_inventory"),
        ("requests_app", "0007_daily_figures"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["assignee", "id"], name="request_assignee"),
        ),
    ]
