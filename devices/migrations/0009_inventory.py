from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0008_quarantine"),
    ]

    operations = [
        migrations.AddField(
            model_name="device",
            name="gone_since",
            field=models.DateTimeField(
                editable=False,
                help_text="Since when its inventory no longer lists it; it is locked out once nobody holds it.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="device",
            name="inventory_source",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="The inventory that last listed it; empty: none has, people entered it.",
                max_length=64,
            ),
        ),
    ]
