import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0007_power_health"),
        ("lifeguard", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Batch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("verb", models.CharField(max_length=32)),
                ("arguments", models.JSONField(blank=True, default=dict)),
                ("reason", models.CharField(blank=True, default="", max_length=300)),
                ("actor", models.CharField(max_length=150)),
                ("source", models.CharField(max_length=16)),
                ("address", models.CharField(blank=True, default="", max_length=45)),
                ("created", models.DateTimeField()),
                ("finished", models.DateTimeField(blank=True, null=True)),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("stopped_by", models.CharField(blank=True, default="", max_length=150)),
                ("total", models.PositiveIntegerField(help_text="How many devices it is for.")),
                (
                    "key",
                    models.CharField(
                        default=None,
                        help_text="Of the form that started it: sent twice, it is started once.",
                        max_length=64,
                        null=True,
                        unique=True,
                    ),
                ),
                (
                    "again_of",
                    models.ForeignKey(
                        blank=True,
                        help_text="The batch whose failed devices this one tries again.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="tried_again",
                        to="lifeguard.batch",
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk action",
                "indexes": [models.Index(fields=["finished", "id"], name="batch_finished")],
            },
        ),
        migrations.CreateModel(
            name="BatchItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "progress",
                    models.CharField(
                        choices=[
                            ("waiting", "waits its turn"),
                            ("asked", "under way"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("refused", "refused"),
                            ("called_off", "called off"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("expected", models.CharField(blank=True, default="", max_length=64)),
                ("operation", models.PositiveBigIntegerField(blank=True, null=True)),
                ("task_seq", models.PositiveBigIntegerField(blank=True, null=True)),
                ("asked", models.DateTimeField(blank=True, null=True)),
                ("ended", models.DateTimeField(blank=True, null=True)),
                ("message", models.CharField(blank=True, default="", max_length=300)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="lifeguard.batch",
                    ),
                ),
                (
                    "device",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batch_items",
                        to="devices.device",
                    ),
                ),
            ],
            options={
                "verbose_name": "device of a bulk action",
                "verbose_name_plural": "devices of bulk actions",
                "indexes": [models.Index(fields=["batch", "progress", "id"], name="batch_progress")],
                "constraints": [models.UniqueConstraint(fields=("batch", "device"), name="once_in_a_batch")],
            },
        ),
    ]
