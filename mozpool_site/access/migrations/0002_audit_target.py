"""The audit trail of a thing is found by its name alone, too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="auditentry",
            name="audit_target",
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["target", "target_kind"], name="audit_target"),
        ),
    ]
