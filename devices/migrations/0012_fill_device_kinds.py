import hashlib
import json
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

_SLICE = 1000


def fill(apps: Any, schema_editor: Any) -> None:
    """Give each device its kind; may be begun again where it was broken off."""
    Device, DeviceKind = apps.get_model("devices", "Device"), apps.get_model("devices", "DeviceKind")
    known = dict(DeviceKind.objects.values_list("digest", "pk"))
    without = Device.objects.filter(kind=None).order_by("pk")
    last = 0
    while rows := list(
        without.filter(pk__gt=last).values_list("pk", "environment", "hardware_type_id", "tags")[:_SLICE]
    ):
        alike: dict[int, list[int]] = {}
        for last, environment, hardware, given in rows:
            tags = sorted(given)
            digest = hashlib.sha256(json.dumps([environment, hardware, tags]).encode()).hexdigest()
            if digest not in known:
                columns = {"environment": environment, "hardware_type_id": hardware, "tags": tags}
                known[digest] = DeviceKind.objects.create(digest=digest, **columns).pk
            alike.setdefault(known[digest], []).append(last)
            if given != tags:
                Device.objects.filter(pk=last).update(tags=tags)
        for kind, keys in alike.items():
            Device.objects.filter(pk__in=keys).update(kind=kind)


class Migration(migrations.Migration):
    # A slice at a time: a pool of eighty thousand devices is no single transaction.
    atomic = False
    dependencies = [
        ("devices", "0011_device_kinds"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="device",
            name="kind",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="devices",
                to="devices.devicekind",
            ),
        ),
    ]
