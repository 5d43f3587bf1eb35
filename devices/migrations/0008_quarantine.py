from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0007_power_health"),
    ]

    operations = [
        migrations.AddField(
            model_name="device",
            name="quarantine_bug",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="Where the repair is followed up.",
                max_length=300,
            ),
        ),
        migrations.AddField(
            model_name="device",
            name="quarantine_by",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="Who says so; empty: Lifeguard.",
                max_length=150,
            ),
        ),
        migrations.AddField(
            model_name="device",
            name="quarantine_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
