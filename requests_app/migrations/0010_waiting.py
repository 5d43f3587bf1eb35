"""How long a request waits for a device, and how long its owner has it. Open ones keep what they were filed with."""

from datetime import timedelta
from typing import Any

import django.utils.timezone
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# A search was a timer of ten seconds, and so many more of them.
_BEAT = timedelta(seconds=10)
_MORE_FOR_ANY, _MORE_FOR_NAMED = 60, 2


def keep_searches(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let open requests wait as long as their timers would have had it."""
    rows: Any = apps.get_model("requests_app", "Request")._default_manager.filter(ended=None)
    for request in rows.iterator():
        more = _MORE_FOR_ANY if request.requested_device_id is None else _MORE_FOR_NAMED
        if request.state == "finding_device":
            left = more - request.counters.pop("finding_device", 0)
            request.waits_until = (request.deadline or request.created) + max(0, left) * _BEAT
            request.deadline = request.waits_until
        else:
            request.waits_until = (request.matched_at or request.created) + (1 + more) * _BEAT
        request.save(update_fields=["waits_until", "deadline", "counters"])


class Migration(migrations.Migration):
    dependencies = [
        ("requests_app", "0009_wishes"),
    ]

    operations = [
        migrations.AddField(
            model_name="request",
            name="duration",
            field=models.PositiveIntegerField(
                blank=True,
                editable=False,
                help_text="Seconds that its owner has the device from ready on; empty: counted from filing (legacy API).",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="request",
            name="waits_until",
            field=models.DateTimeField(
                default=django.utils.timezone.now,
                editable=False,
                help_text="How long it waits for a free device.",
            ),
        ),
        migrations.AlterField(
            model_name="request",
            name="expires",
            field=models.DateTimeField(
                help_text="When it ends by itself. Until its time has begun, a moment that it will not live to see."
            ),
        ),
        migrations.RunPython(keep_searches, migrations.RunPython.noop),
    ]
