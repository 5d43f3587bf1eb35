import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0010_bounds"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeviceKind",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("environment", models.CharField(max_length=64)),
                (
                    "hardware_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="devices.hardwaretype",
                    ),
                ),
                ("tags", models.JSONField(default=list, help_text="In the order of the alphabet.")),
                (
                    "digest",
                    models.CharField(help_text="Of the other columns.", max_length=64, unique=True),
                ),
            ],
        ),
        migrations.AddField(
            model_name="device",
            name="kind",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="devices",
                to="devices.devicekind",
            ),
        ),
        migrations.AddIndex(
            model_name="device",
            index=models.Index(fields=["kind", "idle_since"], name="device_idle_kind"),
        ),
        migrations.AddIndex(
            model_name="device",
            index=models.Index(fields=["kind", "image", "idle_since"], name="device_idle_kind_image"),
        ),
        migrations.RemoveIndex(
            model_name="device",
            name="device_idle_env",
        ),
        migrations.RemoveIndex(
            model_name="device",
            name="device_idle_image",
        ),
    ]
