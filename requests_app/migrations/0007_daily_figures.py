"""What ended on each day that is over, added up once for statistics."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("requests_app", "0006_request_orderings"),
    ]

    operations = [
        migrations.CreateModel(
            name="DailyFigures",
            fields=[
                ("day", models.DateField(help_text="In UTC.", primary_key=True, serialize=False)),
                ("figures", models.JSONField()),
            ],
        ),
    ]
