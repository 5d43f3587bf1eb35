"""Fills a database with at least one row of every kind; run by `manage.py shell` of the release that is left behind.

It knows no model by name, so that it fits every release: a kind without a row gets one, made of its fields' types.
"""

import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.utils import timezone

OURS = ("devices", "bmm", "lifeguard", "requests_app", "access")
_SAMPLES: dict[Any, Any] = {
    models.BooleanField: lambda _: True,
    models.DateTimeField: lambda _: timezone.now(),
    models.DateField: lambda _: timezone.now().date() - timedelta(days=3),
    models.JSONField: lambda field: field.get_default() if field.has_default() else {},
    models.UUIDField: lambda _: uuid.uuid4(),
    models.GenericIPAddressField: lambda _: "127.0.0.9",
    models.FloatField: lambda _: 1.0,
    models.IntegerField: lambda _: 1,
    models.TextField: lambda _: "old",
    models.CharField: lambda field: uuid.uuid4().hex[: min(field.max_length or 8, 32)],
    models.BinaryField: lambda _: b"old",
}


def sample(field: Any) -> Any:
    """Return a value that a field accepts: its default, else one of its type."""
    if isinstance(field, models.ForeignKey):
        return (
            None if field.null else (field.related_model._default_manager.first() or row(field.related_model))
        )
    if field.has_default():
        return field.get_default()
    if field.null:
        return None
    if field.choices:
        return field.flatchoices[0][0]
    return next(make(field) for kind, make in _SAMPLES.items() if isinstance(field, kind))


def row(model: Any) -> Any:
    """Insert one row of a kind that has none."""
    values = {
        field.name: sample(field)
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField)
    }
    return model._default_manager.create(**values)


def fill() -> None:
    """Give every kind of ours a row."""
    for label in OURS:
        if label not in apps.app_configs:
            continue
        for model in apps.get_app_config(label).get_models():
            if not model._default_manager.exists():
                with transaction.atomic():
                    row(model)


def count() -> Iterator[tuple[str, int]]:
    """Give each table of ours with the number of its rows."""
    for label in OURS:
        if label in apps.app_configs:
            for model in apps.get_app_config(label).get_models():
                yield model._meta.db_table, model._default_manager.count()


fill()
Path(os.environ["OLD_ROWS_COUNTED"]).write_text(
    "".join(f"{table} {number}\n" for table, number in count()), encoding="utf-8"
)
