from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import TextField
from django.db.models.functions import Cast

_SLICE = 5_000


def fill(apps: Any, schema_editor: Any) -> None:
    """Store the tags of each request; may be begun again where it was broken off."""
    Request, RequestTag = (
        apps.get_model("requests_app", "Request"),
        apps.get_model("requests_app", "RequestTag"),
    )
    last, newest = 0, Request.objects.aggregate(last=models.Max("pk"))["last"] or 0
    asking = Request.objects.annotate(text=Cast("tags", TextField())).exclude(text="[]").order_by("pk")
    while last < newest:
        # By ranges of numbers: few requests have tags, and to find the next one is to read all between.
        rows = asking.filter(pk__gt=last, pk__lte=last + _SLICE).values_list("pk", "tags")
        tags = [RequestTag(request_id=pk, tag=tag) for pk, asked in rows for tag in asked]
        RequestTag.objects.bulk_create(tags, ignore_conflicts=True)
        last += _SLICE


class Migration(migrations.Migration):
    # A slice at a time: millions of requests are no single transaction.
    atomic = False
    dependencies = [
        ("requests_app", "0011_webhook_dead"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["environment", "id"], name="request_environment"),
        ),
        migrations.CreateModel(
            name="RequestTag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tag", models.CharField(max_length=64)),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tag_rows",
                        to="requests_app.request",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tag", "request"), name="request_tag")],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
