import hashlib
import json
from typing import Any

from django.db import migrations, models

_SLICE = 1000


def fill(apps: Any, schema_editor: Any) -> None:
    """Number the wishes of requests that live; for the others nobody looks. May be begun again where it broke off."""
    Request = apps.get_model("requests_app", "Request")
    live = Request.objects.filter(ended=None).order_by("pk")
    columns = ("pk", "image_id", "environment", "hardware_id", "tags", "requested_device_id")
    last = 0
    while rows := list(live.filter(pk__gt=last).values_list(*columns)[:_SLICE]):
        alike: dict[int, list[int]] = {}
        for last, image, environment, hardware, tags, device in rows:
            wanted = json.dumps([image, environment, hardware, sorted(tags)])
            number = int.from_bytes(hashlib.sha256(wanted.encode()).digest()[:8]) >> 1 or 1
            alike.setdefault(number if device is None else -device, []).append(last)
        for number, keys in alike.items():
            Request.objects.filter(pk__in=keys).update(wish=number)


class Migration(migrations.Migration):
    dependencies = [
        ("requests_app", "0008_assignee_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="request",
            name="wish",
            field=models.BigIntegerField(
                default=0, editable=False, help_text="The same for all that the same devices can serve."
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["state", "wish", "turn", "id"], name="request_line"),
        ),
        migrations.RemoveIndex(
            model_name="request",
            name="request_queue",
        ),
    ]
