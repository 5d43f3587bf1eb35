from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bmm", "0005_questions"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="operation",
            index=models.Index(fields=["status", "kind", "finished", "device"], name="operation_ended"),
        ),
        migrations.RemoveIndex(model_name="operation", name="operation_finished"),
    ]
